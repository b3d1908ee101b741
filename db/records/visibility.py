"""For whom a workspace's e-mails are, and who reads whose.

A transaction names its tenant.
"""

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.event_type import Audience
from db.engine import driver, driver_errors

_CONTENTS = b"select mail_contents from crm.tenant where id = %(tenant)s"
_LED = text("""
with recursive led (email) as (
  select lower(cast(:email as text))
  union
  select lower(m.email) from led join crm.member m
      on m.tenant_id = :tenant and lower(m.manager_email) = led.email)
select email from led limit 10000""")


def contents(session: Session, tenant: int) -> Audience:
    """Return for whom the contents of a workspace's e-mails are, where an e-mail does not say it itself."""
    with driver_errors():  # every page asks: the driver itself is twice as quick as SQLAlchemy
        row = driver(session).execute(_CONTENTS, {"tenant": tenant}).fetchone()
    return Audience(row[0]) if row else Audience.EVERYONE


def set_contents(session: Session, tenant: int, wanted: Audience) -> bool:
    """Decide for whom the contents of a workspace's e-mails are; return whether it was otherwise before."""
    change = text("""
        update crm.tenant set mail_contents = :wanted
         where id = :tenant and mail_contents <> :wanted returning id""")
    return session.execute(change, {"tenant": tenant, "wanted": wanted.value}).first() is not None


def led_by(session: Session, tenant: int, email: str) -> list[str]:
    """Return a person's address and those of all whom they manage, also through others, lower-cased."""
    return list(session.scalars(_LED, {"tenant": tenant, "email": email}))
