"""Make the user with whom imagerag works in Milvus: it may work in the database `default`, and manage no users.

    python milvus_user.py

It reads IMAGERAG_MILVUS_URI, MILVUS_ROOT_PASSWORD, and IMAGERAG_MILVUS_TOKEN (USER:PASSWORD of the user to make).  It
can be run again, and then changes what differs.  Milvus must run with `common.security.authorizationEnabled`.
See https://milvus.io/docs/grant_privileges.md
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

FIRST_PASSWORD = "Milvus"
"""What `root` has in a Milvus that was given none."""
ROLE = "imagerag"
COLLECTION = (
    "CreateIndex", "Delete", "DropIndex", "Flush", "GetFlushState", "GetLoadState", "GetStatistics", "IndexDetail",
    "Insert", "Load", "Query", "Release", "Search", "Upsert",
)  # fmt: skip
"""What the program does with collections."""
DATABASE = (
    "CreateAlias", "CreateCollection", "DescribeAlias", "DescribeCollection", "DropAlias", "DropCollection",
    "ListAliases", "ShowCollections",
)  # fmt: skip
"""What it does in the database."""
_TIMEOUT = 30.0


def set_up(uri: str, root_password: str, user: str, password: str) -> None:
    """Give `root` its password and make the role and the user.

    Raises:
        MilvusException: Milvus cannot be reached, or knows root by another password than these.
    """
    client = _as_root(uri, root_password)
    try:
        if ROLE not in client.list_roles():
            client.create_role(role_name=ROLE)
        version = tuple(int(part) for part in client.get_server_version().lstrip("v").split("-")[0].split(".")[:2])
        for privilege in COLLECTION + DATABASE:
            if version >= (2, 5):
                client.grant_privilege_v2(ROLE, privilege, collection_name="*", db_name="default")
            else:
                kind = "Collection" if privilege in COLLECTION else "Global"
                client.grant_privilege(ROLE, kind, privilege, "*", db_name="default")
        if user not in client.list_users():
            client.create_user(user_name=user, password=password)
        elif not _admits(uri, user, password):
            client.drop_user(user_name=user)  # root cannot change a password that it does not know
            client.create_user(user_name=user, password=password)
        client.grant_role(user_name=user, role_name=ROLE)
    finally:
        client.close()


def _as_root(uri: str, password: str) -> MilvusClient:
    """Connect as root; a Milvus that still has its first password gets this one."""
    if not _admits(uri, "root", password) and _admits(uri, "root", FIRST_PASSWORD):
        client = MilvusClient(uri=uri, token=f"root:{FIRST_PASSWORD}", timeout=_TIMEOUT)
        client.update_password(user_name="root", old_password=FIRST_PASSWORD, new_password=password)
        client.close()
    return MilvusClient(uri=uri, token=f"root:{password}", timeout=_TIMEOUT)


def _admits(uri: str, user: str, password: str) -> bool:
    """Return whether Milvus knows the user by this password.

    Raises:
        MilvusException: it says something else than that.
    """
    try:
        # A connection of its own: one that this process has open already was let in by an earlier password.
        MilvusClient(uri=uri, token=f"{user}:{password}", timeout=_TIMEOUT, dedicated=True).close()
    except MilvusException as error:
        refused = (
            isinstance(error.__cause__, grpc.RpcError) and error.__cause__.code() == grpc.StatusCode.UNAUTHENTICATED
        )
        if not refused:
            raise
        return False
    return True


def wanted(environment: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Return the address, root's password, and the user with its password.

    Raises:
        ValueError: one of them is missing or cannot be; the message is one line.
    """
    names = ("IMAGERAG_MILVUS_URI", "MILVUS_ROOT_PASSWORD", "IMAGERAG_MILVUS_TOKEN")
    for name in names:
        if not environment.get(name):
            raise ValueError(f"{name} is not set")
    uri, root_password, token = (environment[name] for name in names)
    user, _, password = token.partition(":")
    if user == "root":
        raise ValueError("IMAGERAG_MILVUS_TOKEN names root, who may do everything: give another user")
    if not 6 <= len(password) <= 72:
        raise ValueError("IMAGERAG_MILVUS_TOKEN needs a password of 6 to 72 characters after the colon")
    return uri, root_password, user, password


def main() -> int:
    """Set up what the environment names; return the exit code."""
    try:
        uri, root_password, user, password = wanted(os.environ)
        set_up(uri, root_password, user, password)
    except (ValueError, MilvusException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Milvus at {uri}: user {user} has the role {ROLE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
