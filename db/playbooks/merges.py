"""What playbooks store of a record that was merged into another one becomes the other one's."""

from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

MergedKind = Literal["account", "contact"]


_MOVE = """
update playbook.run r set {kind}_id = :into,
       found = case when exists (select from crm.{kind} x where x.tenant_id = :tenant and x.id = :into)
                    then found else array_remove(found, '{kind}') end
 where tenant_id = :tenant and {kind}_id = :merged
   and state in ('running', 'waiting', 'held', 'paused', 'failed')"""
_TASKS = "update playbook.task set {kind}_id = :into where tenant_id = :tenant and {kind}_id = :merged"
_WAITS = """
with moved as (delete from playbook.wait where tenant_id = :tenant and subject = :old returning *)
insert into playbook.wait (tenant_id, type, subject, run_id)
select tenant_id, type, :new, run_id from moved on conflict do nothing"""
_STARTS = """
with moved as (delete from playbook.once where tenant_id = :tenant and subject = :old returning *)
insert into playbook.once (playbook_id, tenant_id, subject, started_at)
select playbook_id, tenant_id, :new, started_at from moved on conflict do nothing"""


def follow_merge(session: Session, tenant: int, kind: MergedKind, merged: str, into: str) -> None:
    """Let runs that are not over, waits, once-per starts and tasks of a merged record be the other one's.

    The caller holds the workspace's lock.
    """
    values = {"tenant": tenant, "merged": merged, "into": into}
    values |= {"old": f"{kind}:{merged}", "new": f"{kind}:{into}"}
    for statement in (_MOVE, _TASKS, _WAITS, _STARTS):
        session.execute(text(statement.format(kind=kind)), values)
