-- The owner of a touch in small letters: under a reader's policy lower() of a column serves no index, since it may tell of what it sees.
set role activity_owner;
create or replace function crm.keep_touch() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into crm.touch (tenant_id, kind, id, owner_email) values (new.tenant_id, tg_argv[0], new.id, lower(new.owner_email))
  on conflict (tenant_id, kind, id) do update set owner_email = excluded.owner_email
   where touch.owner_email is distinct from excluded.owner_email;
  return null;
end $$;
update crm.touch set owner_email = lower(owner_email) where owner_email <> lower(owner_email);
drop index crm.touch_owner;
create index touch_owner on crm.touch (tenant_id, kind, owner_email, touched_at, id);
