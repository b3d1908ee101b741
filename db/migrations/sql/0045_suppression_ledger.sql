-- Suppressions become a ledger: every reason of an address side by side, where from, when and by whom; a lifted one stays,
-- with who lifted it. Addresses are compared in one spelling (activity/address.py), which may differ from lower(): a row made
-- before with another spelling goes on blocking, since both are asked for.
set role activity_owner;

alter table crm.suppression
  drop constraint suppression_pkey,
  drop constraint suppression_target_check,
  add constraint target_is_bounded check (length(target) between 1 and 320),
  add column id bigint generated always as identity primary key,
  add column note text check (length(note) <= 1000),
  add column source text not null default 'before the ledger' check (length(source) between 1 and 320),
  add column actor text not null default 'system' check (length(actor) between 1 and 320),
  add column lifted_at timestamptz,
  add column lifted_by text check (length(lifted_by) between 1 and 320),
  add column lift_note text check (length(lift_note) <= 1000);

update crm.suppression
   set note = case when reason ~ 'soft bounces$' or reason in ('hard bounce', 'complaint', 'unsubscribed', 'invalid address')
                   then null else left(reason, 1000) end,
       reason = case when reason = 'hard bounce' then 'hard_bounce' when reason ~ 'soft bounces$' then 'soft_bounces'
                     when reason = 'invalid address' then 'invalid_address' when reason in ('complaint', 'unsubscribed') then reason
                     else 'manual' end;

alter table crm.suppression
  alter column source drop default,
  alter column actor drop default,
  add constraint known_reason check (reason in ('hard_bounce', 'soft_bounces', 'invalid_address', 'complaint', 'unsubscribed', 'manual')),
  add constraint lifted_by_somebody check ((lifted_at is null) = (lifted_by is null));
create unique index suppression_standing on crm.suppression (tenant_id, target, reason) where lifted_at is null;
create index suppression_history on crm.suppression (tenant_id, target, id);
create index suppression_newest on crm.suppression (tenant_id, id) where lifted_at is null;

revoke update, delete on crm.suppression from activity_producer;
grant update (lifted_at, lifted_by, lift_note) on crm.suppression to activity_producer;
create function crm.suppression_is_lifted_once() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if old.lifted_at is not null or new.lifted_at is null then
    raise exception 'a suppression is lifted once, and stays lifted: add another one';
  end if;
  return new;
end $$;
revoke all on function crm.suppression_is_lifted_once() from public;
create trigger lifted_once before update on crm.suppression for each row execute function crm.suppression_is_lifted_once();

alter table crm.consent
  drop constraint consent_address_check,
  add constraint address_is_bounded check (length(address) between 1 and 320),
  add column actor text not null default 'system' check (length(actor) between 1 and 320);
alter table crm.consent alter column actor drop default;
alter table crm.soft_bounce
  drop constraint soft_bounce_address_check,
  add constraint address_is_bounded check (length(address) between 1 and 320);
