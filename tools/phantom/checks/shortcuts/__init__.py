"""Whether anything but the broken bone tells a fractured phantom from an intact one."""
