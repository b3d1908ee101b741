-- The append in less processor time, same receipts: one probe finds what the log holds already, the rest is numbered,
-- chained and stored in one pass, and the insert itself hands the heads their new hashes. Nothing wide is kept twice.
-- The CHECK that made each digest again goes: the trigger makes the digest in the same statement, nobody else may
-- insert, and `activity verify` makes it again from what is stored. docs/decisions/0001-the-log.md
set role activity_owner;
alter table activity.event drop constraint payload_matches_digest;

create or replace function activity.append() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  said          activity.said[];
  owners        int[];                                         -- each event's tenant
  tenants       int[];
  locked        int;
  now_          timestamptz;
  receipt       json;
  secret        bytea := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
  known         bigint[];                                      -- which events of the batch the log holds already,
  known_seqs    bigint[];                                      -- their numbers, and a letter each:
  known_letters text[];                                        -- duplicate, or conflict: the same id with another body
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'append needs READ COMMITTED: a later statement must see what the last lock holder committed'
      using errcode = '25001';
  end if;
  if current_setting('synchronous_commit') = 'off' then
    raise exception 'append needs synchronous_commit: an acknowledged event is durable' using errcode = '55000';
  end if;
  select array_agg(e), array_agg((e).tenant_id), array_agg(distinct (e).tenant_id) into said, owners, tenants
    from (select json_populate_record(null::activity.said, doc) as e from unnest(new.doc) as doc offset 0) parsed;
  if cardinality(said) > 5000 then
    raise exception 'a batch holds at most 5000 events' using errcode = '54000';
  end if;

  -- One append at a time for each tenant, locked in tenant order so that no two batches wait for each other. Its own
  -- statement: the next ones take their snapshots after the locks, so that they see all that the last holder committed.
  perform from activity.head where tenant_id = any(tenants) order by tenant_id for update;
  get diagnostics locked = row_count;
  if locked is distinct from cardinality(tenants) then
    raise exception 'unknown tenant in batch: make it in crm.tenant first' using errcode = '23503';
  end if;
  now_ := clock_timestamp();                                   -- under the locks: recorded_at never runs backwards

  -- One probe an event, whatever the planner believes of a table that nobody has analysed: 'limit 1' keeps it from
  -- joining all of the log, 'is true' from another index by tenant alone.
  select array_agg(i.ord), array_agg(e.seq), array_agg(
      case when e.type = i.type
            and (e.salt is null or e.payload_sha256 = sha256(e.salt || convert_to(i.payload::text, 'UTF8')))
           then 'd' else 'c' end)
    into known, known_seqs, known_letters
    from unnest(said) with ordinality as i (tenant_id, event_id, type, version, actor, source, account_id, contact_id,
        record_type, record_id, cause_id, occurred_at, payload, ord)
    cross join lateral (select seq, salt, payload_sha256, type from activity.event
      where event_id = i.event_id and (tenant_id = i.tenant_id) is true limit 1) e;
  if 'c' = any(known_letters) then
    insert into activity.rejected (tenant_id, doc, reason)
    select owners[ord], new.doc[ord]::text, format('conflict: seq %s has the same event_id and another body', seq)
      from unnest(known, known_seqs, known_letters) as k (ord, seq, letter) where letter = 'c';
  end if;

  select json_build_object(                                    -- the receipts, in the order given
      'recorded_us', timestamptz_send(now_)::bigint + 946684800000000,
      'epochs', (select json_object_agg(tenant_id, epoch) from activity.head where tenant_id = any(tenants)),
      'seqs', array_to_json(array_agg(seq order by ord)), 'statuses', string_agg(letter, '' order by ord))
    into receipt
    from (select i.ord, coalesce(k.letter, 'a') as letter,
        coalesce(k.seq, h.seq + row_number() over (partition by i.tenant_id, k.seq order by i.ord)) as seq
      from unnest(owners) with ordinality as i (tenant_id, ord)
      join activity.head h on h.tenant_id = i.tenant_id
      left join unnest(known, known_seqs, known_letters) as k (ord, seq, letter) on k.ord = i.ord) numbered;

  with fresh as (
    select i.*, h.hash as last_hash, h.seq + row_number() over (partition by i.tenant_id order by i.ord) as seq,
           substr(sha256(secret || int8send(i.ord)), 1, 16) as salt  -- a UUID an event would cost as much as its hashes
      from unnest(said) with ordinality as i (tenant_id, event_id, type, version, actor, source, account_id,
        contact_id, record_type, record_id, cause_id, occurred_at, payload, ord)
      join activity.head h on h.tenant_id = i.tenant_id
     where not exists (select from unnest(known) k where k = i.ord)),
  digested as (
    select *, sha256(salt || convert_to(payload::text, 'UTF8')) as payload_sha256 from fresh),
  stored as (
    insert into activity.event (seq, occurred_at, recorded_at, event_id, cause_id, salt, tenant_id, version, type,
        actor, source, account_id, contact_id, record_type, record_id, payload, payload_sha256, hash)
    select seq, occurred_at, now_, event_id, cause_id, salt, tenant_id, version, type, actor, source, account_id,
        contact_id, record_type, record_id, payload, payload_sha256,
        activity.chain(last_hash, activity.header(account_id, actor, cause_id, contact_id, event_id, occurred_at,
            payload_sha256, record_id, record_type, now_, seq, source, tenant_id, type, version))
          over (partition by tenant_id order by ord rows unbounded preceding)
      from digested
    returning tenant_id, seq, hash)
  update activity.head h set seq = s.seq, hash = s.hash, updated_at = now_
    from (select distinct on (tenant_id) tenant_id, seq, hash from stored order by tenant_id, seq desc) s
   where h.tenant_id = s.tenant_id;

  perform set_config('activity.receipt', receipt::text, true);
  new.said := cardinality(said);
  new.appended := cardinality(said) - coalesce(cardinality(known), 0);
  new.doc := null;
  return new;
end $$;
