-- Waits count from when a run came to them as planned, not from when a worker found time; and they look back on all that they wait for.
set role activity_owner;
alter table playbook.run add column since timestamptz not null default now();

drop function playbook.heard(text, text, text, bigint, int);
-- The recorded events after a number that are about a subject and of these types, as LIKE patterns, the first recorded first.
create function playbook.heard(kind text, id text, account text, after bigint, most int, likes text[])
returns table (tenant_id int, seq bigint, event_id uuid, type text, version smallint, occurred_at timestamptz, recorded_at timestamptz, actor text,
  source text, account_id text, contact_id text, record_type text, record_id text, cause_id uuid, payload json)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
declare
  about text := case kind when 'account' then 'e.account_id = $2' when 'contact' then 'e.contact_id = $2'
    else 'e.record_type = ''opportunity'' and e.record_id = $2' || case when account is null then '' else ' and e.account_id = $3' end end;
begin
  return query execute 'select e.tenant_id, e.seq, e.event_id, e.type, e.version, e.occurred_at, e.recorded_at, e.actor, e.source, e.account_id, e.contact_id,
    e.record_type, e.record_id, e.cause_id, e.payload from activity.event e
    where e.tenant_id = $1 and e.seq > $4 and e.type like any ($6) and ' || about || ' order by e.seq limit $5'
    using activity.current_tenant(), id, account, after, most, likes;
end $$;
revoke all on function playbook.heard(text, text, text, bigint, int, text[]) from public;
grant execute on function playbook.heard(text, text, text, bigint, int, text[]) to activity_producer;
