-- Enrichment: passes that wait or are over, what each call to a provider cost and said, and where every field's value is from.
set role activity_owner;

create table crm.enrichment_pass (                             -- a queue of db/claim.py
  id           bigint generated always as identity primary key,
  tenant_id    integer not null references crm.tenant,
  kind         text not null check (kind in ('account', 'contact')),
  record_id    text not null,
  fields       text[] not null check (cardinality(fields) > 0),  -- in order of the alphabet: equal sets are equal
  priority     smallint not null,
  requested_by text not null,                                  -- a user's e-mail address, or 'system'
  cause_id     uuid,
  event_id     uuid not null default uuidv7(),                 -- of the one event that the pass ends in
  state        text not null default 'waiting' check (state in ('waiting', 'completed', 'failed')),
  asked_at     timestamptz not null default clock_timestamp(),
  ended_at     timestamptz,
  due_at       timestamptz default clock_timestamp(),
  fence        integer not null default 0,
  constraint over_or_due check ((state = 'waiting') = (due_at is not null) and (state = 'waiting') = (ended_at is null))
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index enrichment_pass_due on crm.enrichment_pass (priority, due_at) where due_at is not null;
create unique index enrichment_pass_in_flight on crm.enrichment_pass (tenant_id, kind, record_id, fields) where due_at is not null;
create index enrichment_pass_over on crm.enrichment_pass (ended_at) where ended_at is not null;

-- The ledger: one row a call, written as 'calling' and committed before the call is made, ended in the transaction that books it.
-- A row that is found 'calling' by a later holder of its pass is 'lost': nobody knows whether the provider counted it.
create table crm.enrichment_call (
  pass_id    bigint not null,
  provider   text not null,
  attempt    smallint not null,                                -- 2 repeats a lost call
  tenant_id  integer not null,
  state      text not null check (state in ('calling', 'answered', 'failed', 'lost', 'cached')),
  month      date not null,                                    -- the budget it counts against
  reserved   numeric(18, 6) not null default 0,
  cost       numeric(18, 6) not null default 0,
  tries      smallint not null default 0,                      -- requests that it took
  found      jsonb,                                            -- {field: {value, confidence}} of an answer
  reason     text,
  started_at timestamptz not null default clock_timestamp(),
  ended_at   timestamptz,
  primary key (pass_id, provider, attempt)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

create table crm.enrichment_spend (                            -- a tenant's month
  tenant_id integer not null,
  month     date not null,
  reserved  numeric(18, 6) not null default 0,                 -- by calls under way
  spent     numeric(18, 6) not null default 0,
  calls     bigint not null default 0,
  repeats   bigint not null default 0,                         -- calls made again because the first's end is unknown
  primary key (tenant_id, month)
) with (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

create table crm.enrichment_provenance (                       -- a value that differs from the record's own was changed by a person since
  tenant_id   integer not null,
  kind        text not null,
  record_id   text not null,
  field       text not null,
  value       jsonb not null,
  provider    text not null,
  confidence  double precision not null check (confidence between 0 and 1),
  cost        numeric(18, 6) not null,
  pass_id     bigint not null,
  obtained_at timestamptz not null,                            -- when the provider said it
  primary key (tenant_id, kind, record_id, field)
);

create table crm.enrichment_latest (                           -- each record's last pass: what is stale, and who enriched last
  tenant_id integer not null,
  kind      text not null,
  record_id text not null,
  pass_id   bigint not null,
  provider  text,
  ended_at  timestamptz not null,
  primary key (tenant_id, kind, record_id)
) with (fillfactor = 80);
create index enrichment_latest_oldest on crm.enrichment_latest (kind, ended_at);

create table crm.enrichment_cache (
  tenant_id   integer not null,
  provider    text not null,
  key         text not null,                                   -- of the question
  found       jsonb not null,                                  -- {}: nothing known
  obtained_at timestamptz not null,
  expires_at  timestamptz not null,
  primary key (tenant_id, provider, key)
) with (autovacuum_vacuum_scale_factor = 0.05);
create index enrichment_cache_expires on crm.enrichment_cache (expires_at);

create table crm.signal_fired (                                -- when a rule last fired for a record
  tenant_id integer not null,
  rule      text not null,
  kind      text not null,
  record_id text not null,
  fired_at  timestamptz not null,
  primary key (tenant_id, rule, kind, record_id)
) with (fillfactor = 80);

call crm.guard('crm.enrichment_pass');
call crm.guard('crm.enrichment_call');
call crm.guard('crm.enrichment_spend');
call crm.guard('crm.enrichment_provenance');
call crm.guard('crm.enrichment_latest');
call crm.guard('crm.enrichment_cache');
call crm.guard('crm.signal_fired');

-- Providers are the deployment's, not a tenant's: how each is doing, and when its next call may be made.
create table crm.enrichment_provider (
  name       text primary key,
  failures   integer not null default 0,                       -- in a row
  open_until timestamptz,                                      -- the breaker is open: no call before
  reason     text,                                             -- of the last failure
  failed_at  timestamptz,
  next_slot  timestamptz not null default clock_timestamp()    -- of its rate limit
) with (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
grant select on crm.enrichment_provider to activity_reader;
grant select, insert, update on crm.enrichment_provider to activity_producer;
