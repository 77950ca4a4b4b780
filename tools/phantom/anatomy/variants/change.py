"""Changing a patient's spine as the plan of variants says; the usual plan is a no-op."""

from __future__ import annotations

from tools.phantom.anatomy.spine import Spine
from tools.phantom.anatomy.variants.degeneration import wear_down
from tools.phantom.anatomy.variants.draft import Draft
from tools.phantom.anatomy.variants.growing import grow
from tools.phantom.anatomy.variants.plan import Plan
from tools.phantom.anatomy.variants.scoliosis import bend
from tools.phantom.anatomy.variants.transitional import change_junction


def change_spine(spine: Spine, plan: Plan) -> Spine:
    """Lay the variants into a spine.

    Args:
        spine: As drawn for everybody.
        plan: What is unusual.

    Returns:
        The spine itself where nothing about it is.
    """
    if plan.transition or plan.curve or plan.degeneration:
        draft = Draft.of(spine)
        if plan.transition:
            change_junction(draft, plan.transition)
        if plan.degeneration:
            wear_down(draft, plan.degeneration)
        if plan.curve:
            bend(draft, plan.curve)
        spine = draft.spine()
    return grow(spine, plan.degeneration) if plan.degeneration else spine
