-- When each account and contact was last touched, kept by a follower of the log, with its owner, so that both orders are walked by one index;
-- and records found by a part of their names. pg_trgm and btree_gin are trusted extensions: the database's owner may create them.
create extension if not exists pg_trgm;
create extension if not exists btree_gin;
set role activity_owner;
create table crm.touch (
  tenant_id   integer not null references crm.tenant,
  kind        text not null check (kind in ('account', 'contact')),
  id          text not null,
  owner_email text,
  touched_at  timestamptz not null default '-infinity',  -- null would not fit the order of an index
  primary key (tenant_id, kind, id)
);
create index touch_order on crm.touch (tenant_id, kind, touched_at, id);
create index touch_owner on crm.touch (tenant_id, kind, lower(owner_email), touched_at, id);
call crm.guard('crm.touch');
create function crm.keep_touch() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into crm.touch (tenant_id, kind, id, owner_email) values (new.tenant_id, tg_argv[0], new.id, new.owner_email)
  on conflict (tenant_id, kind, id) do update set owner_email = excluded.owner_email
   where touch.owner_email is distinct from excluded.owner_email;
  return null;
end $$;
create trigger keep_touch after insert or update of owner_email on crm.account for each row execute function crm.keep_touch('account');
create trigger keep_touch after insert or update of owner_email on crm.contact for each row execute function crm.keep_touch('contact');
insert into crm.touch (tenant_id, kind, id, owner_email) select tenant_id, 'account', id, owner_email from crm.account;
insert into crm.touch (tenant_id, kind, id, owner_email) select tenant_id, 'contact', id, owner_email from crm.contact;

create index account_by_name on crm.account (tenant_id, name, id);
create index contact_by_name on crm.contact (tenant_id, name, id);
create index opportunity_by_name on crm.opportunity (tenant_id, name, id);
create index account_name on crm.account using gin (tenant_id, name gin_trgm_ops);
create index contact_name on crm.contact using gin (tenant_id, name gin_trgm_ops);
create index opportunity_name on crm.opportunity using gin (tenant_id, name gin_trgm_ops);
-- As the owner: under a reader's policy the pattern would be tried on every row of the workspace, since ~~* may tell of what it sees.
create function crm.named(kind text, pattern text, most integer) returns setof text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query execute format('select id from crm.%I where tenant_id = $1 and name ilike $2 order by length(name), name limit $3', named.kind)
    using activity.current_tenant(), named.pattern, named.most;
end $$;
revoke all on function crm.named(text, text, integer) from public;
grant execute on function crm.named(text, text, integer) to activity_reader, activity_producer;
