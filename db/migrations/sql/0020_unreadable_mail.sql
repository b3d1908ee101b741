-- A mail whose reading raised: set aside with the reason, so that the next one is read and nothing is lost.
set role activity_owner;
create table crm.unreadable_mail (
  id          bigint generated always as identity primary key,
  tenant_id   integer not null references crm.tenant,
  source      text not null,
  raw         bytea not null,
  reason      text not null,
  received_at timestamptz not null default clock_timestamp(),
  constraint raw_is_bounded check (octet_length(raw) <= 26000000)
);
create index unreadable_mail_of on crm.unreadable_mail (tenant_id, id);
call crm.guard('crm.unreadable_mail');
