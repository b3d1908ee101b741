-- API keys. Only the SHA-256 of a key is kept: a key is 256 random bits, so there is nothing to guess and no reason for a slow hash.
set role activity_owner;

create table crm.api_key (
  id           bigint generated always as identity primary key,
  tenant_id    integer not null references crm.tenant,
  name         text not null check (length(name) between 1 and 200),
  digest       bytea not null unique check (octet_length(digest) = 32),
  scopes       text[] not null check (scopes <@ array['read', 'write', 'records']),
  actor        text not null default 'system',                 -- who acts where a request names nobody
  created_at   timestamptz not null default clock_timestamp(),
  last_used_at timestamptz,
  expires_at   timestamptz,
  revoked_at   timestamptz
);
create index api_key_tenant on crm.api_key (tenant_id, name);
call crm.guard('crm.api_key');
revoke all on crm.api_key from activity_reader;
