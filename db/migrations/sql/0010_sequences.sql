-- Sequences: what is sent to whom, and when. docs/sequences.md says what each state means.
set role activity_owner;

create table crm.mailbox (                                     -- an address that sends, with its mail server and its limits
  tenant_id       integer not null references crm.tenant,
  id              bigint generated always as identity primary key,
  address         text not null check (address ~ '^[^[:space:]@]+@[^[:space:]@]+$' and length(address) <= 320),
  name            text not null default '' check (length(name) <= 320),
  host            text not null check (host ~ '^[A-Za-z0-9.:_-]{1,255}$'),
  port            integer not null check (port between 1 and 65535),
  security        text not null check (security in ('tls', 'starttls', 'none')),
  username        text,                                        -- its password is a setting: no secret is kept here
  zone            text not null default 'UTC',                 -- IANA name: for its day, and for the send window of contacts without a zone
  per_minute      integer check (per_minute between 1 and 1000),
  per_day         integer check (per_day > 0),
  spacing_seconds double precision not null default 0 check (spacing_seconds between 0 and 86400),
  jitter          double precision not null default 0.3 check (jitter between 0 and 1),  -- the share of the spacing that chance adds
  recent          timestamptz[] not null default '{}',         -- what it sent in the last minute, where per_minute is set
  day             date,
  day_count       integer not null default 0,
  next_at         timestamptz,                                 -- no mail before this: spacing
  queue_at        timestamptz,                                 -- about when the last of those that wait for a limit has its turn
  paused          boolean not null default false,
  paused_until    timestamptz,                                 -- null while paused: until a person resumes it
  paused_reason   text,
  failures        integer not null default 0,                  -- of its server, in a row: doubles the next pause
  unique (tenant_id, address)
) with (fillfactor = 50);

create table crm.sending_limit (                               -- of a whole workspace; no row: no limit
  tenant_id  integer primary key references crm.tenant,
  per_minute integer check (per_minute between 1 and 1000),
  per_day    integer check (per_day > 0),
  recent     timestamptz[] not null default '{}',
  day        date,
  day_count  integer not null default 0,
  queue_at   timestamptz
) with (fillfactor = 50);

create table crm.sequence (
  tenant_id  integer not null references crm.tenant,
  id         bigint generated always as identity primary key,
  name       text not null check (length(name) between 1 and 200),
  mailbox_id bigint not null references crm.mailbox,
  version    integer not null,                                 -- what new enrolments start with
  paused     boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  unique (tenant_id, name)
);

create table crm.sequence_version (                            -- never changed: an enrolment keeps the version it started with
  tenant_id   integer not null references crm.tenant,
  sequence_id bigint not null references crm.sequence on delete cascade,
  version     integer not null,
  definition  json not null,
  saved_by    text not null,
  saved_at    timestamptz not null default clock_timestamp(),
  primary key (sequence_id, version)
);

create table crm.enrolment (                                   -- a contact's way through a sequence; work rows as db/claim.py has them
  id            bigint generated always as identity primary key,
  tenant_id     integer not null references crm.tenant,
  sequence_id   bigint not null,
  version       integer not null,
  contact_id    text not null,
  mailbox_id    bigint not null references crm.mailbox,
  step          integer not null default 1,                    -- the next one to do, from 1
  attempt       integer not null default 0,                    -- tries of this step that the mail server put off
  sent          integer not null default 0,
  due_at        timestamptz,
  fence         integer not null default 0,
  state         text not null default 'active' check (state in ('active', 'finished')),
  reason        text,                                          -- active: what it waits for; finished: why
  enrolled_by   text not null,
  enrolled_at   timestamptz not null default clock_timestamp(),
  changed_at    timestamptz not null default clock_timestamp(),
  foreign key (sequence_id, version) references crm.sequence_version,
  constraint enrolled_once unique (tenant_id, sequence_id, contact_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index enrolment_due on crm.enrolment (due_at) where due_at is not null;
create index enrolment_contact on crm.enrolment (tenant_id, contact_id);
create index enrolment_mailbox on crm.enrolment (mailbox_id) where state = 'active';

-- One e-mail of one step to one contact.
--   claimed   the gate let it pass; nothing has been given to the mail server that it could send
--   sending   committed right before the end of the content is sent; found so after the lease, nobody can know: it becomes unknown
--   sent, bounced, unknown, skipped are ends; deferred waits for another try
create table crm.message (
  id           bigint generated always as identity primary key,
  tenant_id    integer not null references crm.tenant,
  enrolment_id bigint not null references crm.enrolment on delete cascade,
  sequence_id  bigint not null,
  step         integer not null,
  variant      text not null,
  contact_id   text not null,
  account_id   text,
  mailbox_id   bigint not null,
  message_id   text not null,                                  -- the header's value without < and >
  thread_id    text not null,
  recipient    text not null,
  subject      text,
  state        text not null check (state in ('claimed', 'sending', 'sent', 'deferred', 'bounced', 'unknown', 'skipped')),
  fence        integer not null,                               -- of the enrolment's claim that holds it
  reason       text,                                           -- what the mail server answered, or why it was not sent
  claimed_at   timestamptz not null default clock_timestamp(),
  sending_at   timestamptz,
  sent_at      timestamptz,
  constraint one_mail_a_step unique (enrolment_id, step)
) with (fillfactor = 70);
create unique index message_header on crm.message (tenant_id, message_id);
create index message_recipient on crm.message (tenant_id, lower(recipient), id desc);
create index message_undecided on crm.message (sending_at) where state = 'sending';
create index message_unknown on crm.message (tenant_id, sequence_id) where state = 'unknown';

create table crm.suppression (                                 -- a hard block; target: an address, or a domain, in small letters
  tenant_id integer not null references crm.tenant,
  target    text not null check (target = lower(target) and length(target) between 1 and 320),
  reason    text not null,
  cause_id  uuid,                                              -- the event that made it
  added_at  timestamptz not null default clock_timestamp(),
  primary key (tenant_id, target)
);

create table crm.soft_bounce (
  tenant_id integer not null references crm.tenant,
  address   text not null check (address = lower(address)),
  count     integer not null,
  last_at   timestamptz not null default clock_timestamp(),
  primary key (tenant_id, address)
);

create table crm.consent (
  tenant_id  integer not null references crm.tenant,
  address    text not null check (address = lower(address)),
  granted    boolean not null,
  source     text not null,                                    -- where it was given or withdrawn
  changed_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, address)
);

call crm.guard('crm.mailbox');
call crm.guard('crm.sending_limit');
call crm.guard('crm.sequence');
call crm.guard('crm.sequence_version');
call crm.guard('crm.enrolment');
call crm.guard('crm.message');
call crm.guard('crm.suppression');
call crm.guard('crm.soft_bounce');
call crm.guard('crm.consent');
