-- Erasing a person keeps mail away and their address out: what the ledger and consent hold of it is kept under a keyed hash,
-- and the link to unsubscribe in a mail that was sent before goes on working. The key is the workspace's own, and read by none.
set role activity_owner;

create table crm.erasure_key (
  tenant_id integer primary key references crm.tenant,
  key       bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);
create table crm.erased_mail (                                 -- a mail whose contact was erased
  tenant_id integer not null references crm.tenant,
  id        bigint not null,                                   -- of the row of crm.message that it was
  target    text not null,                                     -- the hash of its recipient
  primary key (tenant_id, id)
);
call crm.guard('crm.erased_mail');
revoke update, delete on crm.erased_mail from activity_producer;

create function crm.erased(tenant int, address text) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select 'erased:' || encode(sha256(k.key || convert_to(address, 'UTF8')), 'hex')
    from crm.erasure_key k where k.tenant_id = tenant
$$;

create or replace function crm.suppression_is_lifted_once() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.target = old.target and (old.lifted_at is not null or new.lifted_at is null) then
    raise exception 'a suppression is lifted once, and stays lifted: add another one';
  end if;
  return new;
end $$;

-- `known` is the one spelling of the address. What stands against it twice, from before an erasure and from after it, stands once.
create function crm.forget_address(tenant int, address text, known text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  hash text;
begin
  if not (tenant = activity.current_tenant() or activity.every_tenant()) then
    raise exception 'the transaction does not name the workspace %', tenant;
  end if;
  insert into crm.erasure_key (tenant_id) values (tenant) on conflict do nothing;
  hash := crm.erased(tenant, known);
  update crm.suppression s
     set target = hash, note = null, lift_note = null,
         lifted_at = case when twice.found then coalesce(s.lifted_at, clock_timestamp()) else s.lifted_at end,
         lifted_by = case when twice.found then coalesce(s.lifted_by, 'system') else s.lifted_by end
    from (select o.id, exists (select from crm.suppression e where e.tenant_id = tenant and e.target = hash
                                  and e.reason = o.reason and e.lifted_at is null) as found
            from crm.suppression o where o.tenant_id = tenant and o.target = address) twice
   where s.id = twice.id;
  delete from crm.consent c where c.tenant_id = tenant and c.address = hash
     and exists (select from crm.consent n where n.tenant_id = tenant and n.address = forget_address.address);
  update crm.consent c set address = hash where c.tenant_id = tenant and c.address = forget_address.address;
  delete from crm.soft_bounce b where b.tenant_id = tenant and b.address = forget_address.address;
end $$;
revoke all on function crm.erased(int, text), crm.forget_address(int, text, text) from public;
grant execute on function crm.erased(int, text) to activity_producer, activity_reader;
grant execute on function crm.forget_address(int, text, text) to activity_producer;
