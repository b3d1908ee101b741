-- What comes back: where reports on mail come from, what was heard, and what is known of mail that others sent for us.
set role activity_owner;

create table crm.mail_source (                                 -- a provider's webhook, or a mailbox that is read; work rows as db/claim.py has them
  id            bigint generated always as identity primary key,
  tenant_id     integer not null references crm.tenant,
  provider      text not null check (provider ~ '^[a-z][a-z0-9_]{1,30}$'),
  public_id     text not null unique check (public_id ~ '^[A-Za-z0-9_-]{3,64}$'),  -- in the address it sends to
  name          text not null default '' check (length(name) <= 200),
  unsigned      boolean not null default false,                -- without a secret: takes what anybody sends who knows the address
  tolerance_s   integer not null default 300 check (tolerance_s between 0 and 604800),  -- allowed age of a request; 0: any
  url           text check (length(url) <= 2000),              -- as entered at a provider that signs it
  mailbox       jsonb,                                         -- imap: host, port, security, username, folder
  uid_validity  bigint,
  last_uid      bigint not null default 0,
  confirm_url   text,                                          -- sns: made by us; visited once
  failures      integer not null default 0,
  failure       text,
  created_at    timestamptz not null default clock_timestamp(),
  heard_at      timestamptz,
  due_at        timestamptz,
  fence         integer not null default 0
) with (fillfactor = 70);
create index mail_source_due on crm.mail_source (due_at) where due_at is not null;
create index mail_source_tenant on crm.mail_source (tenant_id);

create table crm.mail_secret (                                 -- several at a time while they are rotated
  id         bigint generated always as identity primary key,
  tenant_id  integer not null references crm.tenant,
  source_id  bigint not null references crm.mail_source on delete cascade,
  secret     text not null check (length(secret) between 1 and 4000),
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz
);
create index mail_secret_source on crm.mail_secret (source_id);

create table crm.mail_seen (                                   -- a report is taken once, for ever
  tenant_id integer not null references crm.tenant,
  event_id  uuid not null,
  primary key (tenant_id, event_id)
);

create table crm.mail_unknown (                                -- kinds of report that we do not know: taken, and counted
  tenant_id integer not null references crm.tenant,
  source_id bigint not null references crm.mail_source on delete cascade,
  kind      text not null check (length(kind) <= 200),
  count     bigint not null,
  last_at   timestamptz not null default clock_timestamp(),
  primary key (source_id, kind)
);

create table crm.mail_delivery (                               -- when a mail arrived: what is opened right after is opened by a machine
  tenant_id    integer not null references crm.tenant,
  message_id   text not null check (length(message_id) between 1 and 500),
  recipient    text not null check (length(recipient) <= 500),         -- in small letters
  delivered_at timestamptz not null,
  primary key (tenant_id, message_id, recipient)
);

call crm.guard('crm.mail_source');
call crm.guard('crm.mail_secret');
call crm.guard('crm.mail_seen');
call crm.guard('crm.mail_unknown');
call crm.guard('crm.mail_delivery');
revoke select on crm.mail_secret from activity_reader;         -- only what checks a request needs them
drop policy tenant_read on crm.mail_secret;
