"""A workspace to play in."""

from typing import Any

import psycopg
import pytest

from tests.plays import World


@pytest.fixture
def world(admin: psycopg.Connection[Any], tenant: int) -> World:
    """A workspace with an account, a contact and a deal."""
    return World(admin, tenant)
