-- The log. Producers write what they say into activity.outbox, in their own transaction. The append task moves it, a batch at a time,
-- into activity.inbox; the trigger there numbers, chains and stores it in activity.event, which nobody can change afterwards.
-- docs/decisions/0001-the-log.md says why each part is so.
set role activity_owner;
create schema activity;

-- What producers said and nobody has appended yet, one row an event. The key finds the tenants that wait, and each one's order.
create table activity.outbox (
  tenant_id integer not null,
  n         bigint generated always as identity,
  doc       json not null,
  primary key (tenant_id, n),
  constraint doc_is_one_json_object check (json_typeof(doc) = 'object')
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- Where each tenant's log stands: the only row that the write path updates.
create table activity.head (
  tenant_id  integer primary key,
  epoch      uuid not null default gen_random_uuid(),          -- a new one after a restore or a lossy fail-over: followers start anew
  seq        bigint not null default 0,
  hash       bytea not null default sha256('activity/v1'::bytea),
  updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

create table activity.event (
  seq            bigint not null,
  occurred_at    timestamptz not null,
  recorded_at    timestamptz not null,
  event_id       uuid not null,                                -- the producer's idempotency key, for good
  cause_id       uuid,                                         -- the event that made this one happen
  salt           bytea,                                        -- null after erasure
  tenant_id      integer not null,
  version        smallint not null,
  type           text not null,
  actor          text not null,
  source         text not null,
  account_id     text,
  contact_id     text,
  record_type    text,
  record_id      text,
  payload        json,                                         -- RFC 8785 text exactly as hashed (jsonb would rewrite it); null after erasure
  payload_sha256 bytea not null,                               -- sha256(salt || payload)
  hash           bytea not null,                               -- sha256(previous hash || header)
  primary key (tenant_id, seq),
  constraint said_once unique (event_id, tenant_id),           -- in this order: see 'known' below
  constraint seq_counts_from_one check (seq > 0),
  constraint type_is_dotted_words check (type ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$' and length(type) <= 80),
  constraint occurred_in_range check (occurred_at >= '1990-01-01' and occurred_at < '2200-01-01'),
  constraint about_something check (coalesce(account_id, contact_id, record_id) is not null),
  constraint record_has_type_and_id check ((record_type is null) = (record_id is null)),
  constraint names_are_plain check (concat(actor, source, account_id, contact_id, record_type, record_id) !~ '[[:cntrl:]]'),
  constraint names_fit check (greatest(length(actor), length(source), length(account_id), length(contact_id), length(record_type), length(record_id)) <= 320),
  constraint payload_fits check (octet_length(payload::text) <= 65536),
  constraint payload_is_object check (left(payload::text, 1) = '{'),
  constraint payload_and_salt_go_together check ((payload is null) = (salt is null)),
  constraint payload_matches_digest check (payload is null or payload_sha256 = sha256(salt || convert_to(payload::text, 'UTF8'))),
  constraint hashes_are_sha256 check (octet_length(hash) = 32 and octet_length(payload_sha256) = 32)
) with (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_freeze_min_age = 0);
create index event_newest  on activity.event (tenant_id, occurred_at desc, seq desc);
create index event_account on activity.event (tenant_id, account_id, occurred_at desc, seq desc) where account_id is not null;
create index event_contact on activity.event (tenant_id, contact_id, occurred_at desc, seq desc) where contact_id is not null;
create index event_type    on activity.event (tenant_id, type, occurred_at desc, seq desc);
create index event_cause   on activity.event (tenant_id, cause_id) where cause_id is not null;

-- What could not be appended, with the reason: kept for an operator, never lost and never retried for ever.
create table activity.rejected (
  id          bigint generated always as identity primary key,
  tenant_id   integer,                                         -- null where not even that could be read
  doc         text not null,
  reason      text not null,
  rejected_at timestamptz not null default clock_timestamp()
);

-- The header that a hash covers: RFC 8785 by construction (sorted keys, no spaces). STABLE, since a function marked IMMUTABLE that calls
-- the STABLE convert_to is not inlined and costs eight times as much.
create function activity.quoted(text) returns text language sql immutable parallel safe
  return coalesce('"' || replace(replace($1, '\', '\\'), '"', '\"') || '"', 'null');
create function activity.header(account text, actor text, cause uuid, contact text, event_id uuid, occurred_at timestamptz, payload_sha256 bytea,
    record_id text, record_type text, recorded_at timestamptz, seq bigint, source text, tenant int, type text, version smallint)
  returns bytea language sql stable parallel safe
  return convert_to('{"account":' || activity.quoted($1) || ',"actor":' || activity.quoted($2) || ',"cause":' || coalesce('"' || $3::text || '"', 'null')
    || ',"contact":' || activity.quoted($4) || ',"event_id":"' || $5::text || '","occurred_us":' || (timestamptz_send($6)::bigint + 946684800000000)::text
    || ',"payload_sha256":"' || encode($7, 'hex') || '","record_id":' || activity.quoted($8) || ',"record_type":' || activity.quoted($9)
    || ',"recorded_us":' || (timestamptz_send($10)::bigint + 946684800000000)::text || ',"seq":' || $11::text || ',"source":' || activity.quoted($12)
    || ',"tenant":' || $13::text || ',"type":"' || $14 || '","v":1,"version":' || $15::text || '}', 'UTF8');
-- The chain as a window aggregate: evaluated row by row inside one set-based INSERT.
create function activity.chain_step(state bytea, seed bytea, header bytea) returns bytea language plpgsql immutable parallel safe as
  $$ begin return sha256(coalesce(state, seed) || header); end $$;
create aggregate activity.chain(seed bytea, header bytea) (sfunc = activity.chain_step, stype = bytea);

-- One event of a batch, as the outbox holds it.
create type activity.said as (tenant_id int, event_id uuid, type text, version smallint, actor text, source text, account_id text, contact_id text,
  record_type text, record_id text, cause_id uuid, occurred_at timestamptz, payload json);

-- The writer's only door. A row is one batch: an array of JSON events, none of them twice. The trigger is SECURITY DEFINER, so the writer needs
-- no right on anything behind it; the receipts come back by  returning current_setting('activity.receipt'), which names no column.
create table activity.inbox (
  batch_id    bigint generated always as identity primary key,
  doc         json[],                                          -- emptied by the trigger, never stored
  said        integer,
  appended    integer,
  writer      text not null default session_user,
  received_at timestamptz not null default clock_timestamp()
);

create function activity.append() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  said    activity.said[];
  tenants int[];
  locked  int;
  now_    timestamptz;
  receipt json;
  secret  bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'append needs READ COMMITTED: a later statement must see what the last lock holder committed' using errcode = '25001';
  end if;
  if current_setting('synchronous_commit') = 'off' then
    raise exception 'append needs synchronous_commit: an acknowledged event is durable' using errcode = '55000';
  end if;
  select array_agg(e), array_agg(distinct (e).tenant_id) into said, tenants
    from (select json_populate_record(null::activity.said, doc) as e from unnest(new.doc) as doc offset 0) parsed;
  if cardinality(said) > 5000 then raise exception 'a batch holds at most 5000 events' using errcode = '54000'; end if;

  -- One append at a time for each tenant, locked in tenant order so that no two batches wait for each other. Its own statement: the next one
  -- takes its snapshot after the locks, so that it sees all that the last holder committed.
  perform from activity.head where tenant_id = any(tenants) order by tenant_id for update;
  get diagnostics locked = row_count;
  if locked is distinct from cardinality(tenants) then
    raise exception 'unknown tenant in batch: make it in crm.tenant first' using errcode = '23503';
  end if;
  now_ := clock_timestamp();                                   -- under the locks: recorded_at never runs backwards within a tenant

  with input as materialized (
    select * from unnest(said) with ordinality as e(tenant_id, event_id, type, version, actor, source, account_id, contact_id,
      record_type, record_id, cause_id, occurred_at, payload, ord)),
  known as materialized (                                      -- one probe an event, whatever the planner believes of a table that nobody has analysed:
    select i.ord, e.* from input i cross join lateral (        -- 'limit 1' keeps it from joining all of the log, 'is true' from another index by tenant alone
      select seq, salt, payload_sha256, type from activity.event where event_id = i.event_id and (tenant_id = i.tenant_id) is true limit 1) e),
  numbered as (
    select i.*, h.hash as last_hash, h.seq + row_number() over (partition by i.tenant_id order by i.ord) as seq,
           substr(sha256(secret || int8send(i.ord)), 1, 16) as salt  -- a fresh UUID an event would cost as much as its two hashes
      from input i join activity.head h on h.tenant_id = i.tenant_id
     where not exists (select from known k where k.ord = i.ord)),
  digested as (
    select *, sha256(salt || convert_to(payload::text, 'UTF8')) as payload_sha256 from numbered),
  chained as materialized (
    select *, activity.chain(last_hash, activity.header(account_id, actor, cause_id, contact_id, event_id, occurred_at, payload_sha256, record_id,
                record_type, now_, seq, source, tenant_id, type, version)) over (partition by tenant_id order by ord rows unbounded preceding) as hash
      from digested),
  stored as (
    insert into activity.event (seq, occurred_at, recorded_at, event_id, cause_id, salt, tenant_id, version, type, actor, source, account_id, contact_id,
        record_type, record_id, payload, payload_sha256, hash)
    select seq, occurred_at, now_, event_id, cause_id, salt, tenant_id, version, type, actor, source, account_id, contact_id,
        record_type, record_id, payload, payload_sha256, hash from chained),
  moved as (
    update activity.head h set seq = c.seq, hash = c.hash, updated_at = now_
      from (select distinct on (tenant_id) tenant_id, seq, hash from chained order by tenant_id, seq desc) c where h.tenant_id = c.tenant_id),
  judged as materialized (                                     -- a letter each: appended, duplicate, or conflict: the same id with another body
    select i.ord, i.tenant_id, coalesce(k.seq, c.seq) as seq,
           case when k.seq is null then 'a'
                when k.type = i.type and (k.salt is null or k.payload_sha256 = sha256(k.salt || convert_to(i.payload::text, 'UTF8'))) then 'd'
                else 'c' end as status
      from input i left join known k on k.ord = i.ord left join chained c on c.ord = i.ord),
  conflicts as (
    insert into activity.rejected (tenant_id, doc, reason)
    select tenant_id, new.doc[ord]::text, format('conflict: seq %s has the same event_id and another body', seq) from judged where status = 'c')
  select json_build_object(                                    -- the receipts, in the order given
           'recorded_us', timestamptz_send(now_)::bigint + 946684800000000,
           'epochs', (select json_object_agg(tenant_id, epoch) from activity.head where tenant_id = any(tenants)),
           'seqs', json_agg(seq order by ord), 'statuses', string_agg(status, '' order by ord)),
         count(*), count(*) filter (where status = 'a')
    into receipt, new.said, new.appended from judged;
  perform set_config('activity.receipt', receipt::text, true);
  new.doc := null;
  return new;
end $$;
create trigger append before insert on activity.inbox for each row execute function activity.append();

-- Append-only for everybody, the owner included. ENABLE ALWAYS fires under session_replication_role = replica too.
create function activity.refuse() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '% on activity.% is refused: the log is append-only', tg_op, tg_table_name using errcode = '42501';
end $$;
create function activity.refuse_all_but_erasure() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  erased activity.event := old;
begin
  erased.payload := null;
  erased.salt := null;
  if to_jsonb(new) = to_jsonb(erased) then return new; end if;
  raise exception 'UPDATE on activity.event is refused: the log is append-only, only payload and salt may be erased' using errcode = '42501';
end $$;
create trigger no_delete before delete on activity.event for each statement execute function activity.refuse();
create trigger no_truncate before truncate on activity.event for each statement execute function activity.refuse();
create trigger no_update_but_erasure before update on activity.event for each row execute function activity.refuse_all_but_erasure();
alter table activity.event enable always trigger no_delete, enable always trigger no_truncate, enable always trigger no_update_but_erasure;

-- Erase a person: the payloads of their events go, the chain still verifies, and the log says that it was done, by whom and why.
create function activity.erase(tenant int, contact text, event_id uuid, actor text, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  erased bigint;
begin
  perform from activity.head where tenant_id = tenant for update;
  update activity.event set payload = null, salt = null where tenant_id = tenant and contact_id = contact and payload is not null;
  get diagnostics erased = row_count;
  insert into activity.inbox (doc) values (array[json_build_object('tenant_id', tenant, 'event_id', event_id, 'type', 'privacy.bodies_erased',
    'version', 1, 'actor', actor, 'source', 'erasure', 'contact_id', contact, 'occurred_at', clock_timestamp(),
    'payload', ('{"events":' || erased || ',"reason":' || to_json(reason)::text || '}')::json)]);
  return erased;
end $$;

-- Where every tenant's log stands, for announcements and for those who follow all tenants. It shows no event.
create function activity.heads(since timestamptz) returns table (tenant_id int, epoch uuid, seq bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$ select tenant_id, epoch, seq from activity.head where updated_at >= since $$;

-- Which rows a session may see: the tenant it named for this transaction. Unset or empty shows nothing.
create function activity.current_tenant() returns int language sql stable parallel safe
  return nullif(nullif(current_setting('activity.tenant', true), ''), '*')::int;
-- A worker that claims work of every tenant at once says so: set_config('activity.tenant', '*', true). Only the producer's policies ask.
create function activity.every_tenant() returns boolean language sql stable parallel safe
  return coalesce(current_setting('activity.tenant', true), '') = '*';

-- How far each durable follower has come.
create table activity.cursor (
  name      text not null,
  tenant_id integer not null,
  epoch     uuid not null,
  seq       bigint not null,
  moved_at  timestamptz not null default clock_timestamp(),
  primary key (name, tenant_id)
) with (fillfactor = 50);

alter table activity.event enable row level security, force row level security;
alter table activity.head enable row level security, force row level security;
alter table activity.rejected enable row level security, force row level security;
create policy owner_all   on activity.event    to activity_owner using (true) with check (true);
create policy owner_all   on activity.head     to activity_owner using (true) with check (true);
create policy owner_all   on activity.rejected to activity_owner using (true) with check (true);
create policy tenant_read on activity.event    for select to activity_reader using (tenant_id = (select activity.current_tenant()));
create policy tenant_read on activity.head     for select to activity_reader using (tenant_id = (select activity.current_tenant()));
create policy tenant_read on activity.rejected for select to activity_reader using (tenant_id = (select activity.current_tenant()));
create policy park        on activity.rejected for insert to activity_writer with check (true);
create policy audit_read  on activity.event    for select to activity_auditor using (true);
create policy audit_read  on activity.head     for select to activity_auditor using (true);
create policy audit_read  on activity.rejected for select to activity_auditor using (true);
