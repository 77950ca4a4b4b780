"""Whether the fracture network sees fractures, and not what goes along with them."""
