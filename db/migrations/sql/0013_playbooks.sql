-- Playbooks: their versions, their runs, what runs wait for, and what they hand out. Nothing here refers to the log by a foreign key.
set role activity_owner;
create schema playbook;
grant usage on schema playbook to activity_producer, activity_reader;

create table playbook.playbook (
  id          bigint generated always as identity primary key,
  tenant_id   integer not null references crm.tenant,
  name        text not null check (length(name) between 1 and 200),
  version     integer not null,
  state       text not null check (state in ('enabled', 'paused')),
  reason      text,                                            -- why it is paused
  after_seq   bigint not null default 0,                       -- events up to this number start nothing: it was enabled later
  due_at      timestamptz,                                     -- when a schedule comes next, or goes on with its records
  fence       integer not null default 0,
  moment      timestamptz,                                     -- the schedule's moment that is being worked off
  after_id    text,                                            -- the last record that was tried for it
  created_at  timestamptz not null default clock_timestamp(),
  unique (tenant_id, name)
);
create index playbook_due on playbook.playbook (due_at) where due_at is not null;
create index playbook_enabled on playbook.playbook (tenant_id) where state = 'enabled';

create table playbook.version (                                -- never changed: a run keeps the version it started with
  playbook_id bigint not null references playbook.playbook,
  tenant_id   integer not null,
  version     integer not null,
  source      text not null,
  saved_by    text not null,
  saved_at    timestamptz not null default clock_timestamp(),
  primary key (playbook_id, version)
);

create table playbook.run (
  id            bigint generated always as identity primary key,
  tenant_id     integer not null,
  playbook_id   bigint not null references playbook.playbook,
  version       integer not null,
  state         text not null check (state in ('running', 'waiting', 'paused', 'completed', 'failed', 'cancelled', 'refused')),
  due_at        timestamptz,
  fence         integer not null default 0,
  at            integer not null default 0,                    -- the operation that comes next
  done          integer not null default 0,                    -- steps carried out
  attempts      integer not null default 0,                    -- failures of this step
  trigger_id    uuid not null,                                 -- the event that started it, or an id made of schedule and record
  trigger       json,                                          -- that event as it was, for conditions and texts; null without one
  heard         json,                                          -- the last event it waited for
  seen_seq      bigint not null default 0,                     -- events up to this number are behind it
  started_id    uuid not null,                                 -- its playbook.started: the cause of all it does
  account_id    text,
  contact_id    text,
  opportunity_id text,
  reason        text,
  started_at    timestamptz not null default clock_timestamp(),
  ended_at      timestamptz,
  unique (playbook_id, trigger_id)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
create index run_due on playbook.run (due_at) where due_at is not null;
create index run_newest on playbook.run (tenant_id, id desc);
create index run_of_playbook on playbook.run (tenant_id, playbook_id, id desc);

create table playbook.wait (                                   -- what waiting runs wait for: an event finds them by this key
  tenant_id integer not null,
  type      text not null,                                     -- an event type or pattern, as it stands in the definition
  subject   text not null,                                     -- account:<id>, contact:<id> or opportunity:<id>
  run_id    bigint not null references playbook.run on delete cascade,
  primary key (tenant_id, type, subject, run_id)
);
create index wait_of_run on playbook.wait (run_id);

create table playbook.once (                                   -- when a playbook last started for a subject
  playbook_id bigint not null references playbook.playbook,
  tenant_id   integer not null,
  subject     text not null,
  last_at     timestamptz not null,
  primary key (playbook_id, subject)
) with (fillfactor = 80);

create table playbook.pace (                                   -- each workspace's rate limit: until when its starts are spoken for
  tenant_id integer primary key,
  taken_to  timestamptz not null
) with (fillfactor = 50);

create table playbook.turn (                                   -- whose turn a round robin is at
  playbook_id bigint not null references playbook.playbook,
  tenant_id   integer not null,
  step        text not null,
  taken       bigint not null default 0,
  primary key (playbook_id, step)
) with (fillfactor = 50);

create table playbook.act (                                    -- what operators did to runs
  id        bigint generated always as identity primary key,
  tenant_id integer not null,
  run_id    bigint not null references playbook.run on delete cascade,
  act       text not null check (act in ('cancel', 'pause', 'retry', 'skip')),
  actor     text not null,
  reason    text,
  acted_at  timestamptz not null default clock_timestamp()
);
create index act_of_run on playbook.act (run_id);

create table playbook.task (                                   -- tasks that playbooks handed out
  id         bigint generated always as identity primary key,
  tenant_id  integer not null,
  run_id     bigint not null,
  title      text not null,
  note       text,
  assignee   text,
  due_at     timestamptz,
  account_id text,
  contact_id text,
  opportunity_id text,
  done_at    timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index task_open on playbook.task (tenant_id, assignee, id) where done_at is null;

create table playbook.notice (                                 -- what people are told in the app
  id         bigint generated always as identity primary key,
  tenant_id  integer not null,
  run_id     bigint not null,
  recipient  text not null,
  message    text not null,
  read_at    timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index notice_unread on playbook.notice (tenant_id, recipient, id) where read_at is null;

call crm.guard('playbook.playbook');
call crm.guard('playbook.version');
call crm.guard('playbook.run');
call crm.guard('playbook.wait');
call crm.guard('playbook.once');
call crm.guard('playbook.pace');
call crm.guard('playbook.turn');
call crm.guard('playbook.act');
call crm.guard('playbook.task');
call crm.guard('playbook.notice');

-- A producer may not read the log. These two answer what the engine must know of it, for the workspace that the transaction names.
-- How long the chain of causes above each event is, and which playbooks are in it, one entry a run.
create function playbook.ancestry(ids uuid[], most int) returns table (event_id uuid, causes int, playbooks bigint[])
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with recursive up (root, cause_id, type, record_id, n) as (
    select e.event_id, e.cause_id, e.type, e.record_id, 0 from unnest(ids) i
     cross join lateral (select * from activity.event where event_id = i and tenant_id = activity.current_tenant() limit 1) e
    union all
    select u.root, e.cause_id, e.type, e.record_id, u.n + 1 from up u
     cross join lateral (select * from activity.event where event_id = u.cause_id and tenant_id = activity.current_tenant() limit 1) e
     where u.n < most)
  select u.root, max(u.n), coalesce(array_agg(r.playbook_id) filter (where r.id is not null), '{}')
    from up u left join playbook.run r on u.type = 'playbook.started' and r.tenant_id = activity.current_tenant() and r.id::text = u.record_id
   group by u.root $$;

-- The recorded events after a number that are about a subject, the oldest first: what a run that begins to wait must look back on.
create function playbook.heard(kind text, id text, account text, after bigint, most int)
returns table (tenant_id int, seq bigint, event_id uuid, type text, version smallint, occurred_at timestamptz, recorded_at timestamptz, actor text,
  source text, account_id text, contact_id text, record_type text, record_id text, cause_id uuid, payload json)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
declare
  about text := case kind when 'account' then 'e.account_id = $2' when 'contact' then 'e.contact_id = $2'
    else 'e.record_type = ''opportunity'' and e.record_id = $2' || case when account is null then '' else ' and e.account_id = $3' end end;
begin
  return query execute 'select e.tenant_id, e.seq, e.event_id, e.type, e.version, e.occurred_at, e.recorded_at, e.actor, e.source, e.account_id, e.contact_id,
    e.record_type, e.record_id, e.cause_id, e.payload from activity.event e where e.tenant_id = $1 and e.seq > $4 and ' || about || ' order by e.seq limit $5'
    using activity.current_tenant(), id, account, after, most;
end $$;
revoke all on all functions in schema playbook from public;
grant execute on function playbook.ancestry(uuid[], int), playbook.heard(text, text, text, bigint, int) to activity_producer;
