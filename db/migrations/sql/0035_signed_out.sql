-- Sessions of the page that were ended before their time. A session is a signed cookie, which nothing else could take back.
set role activity_owner;

create table crm.signed_out (
  session_id uuid primary key,
  ends_at    timestamptz not null  -- of the cookie: afterwards the row says nothing
);
grant select, insert, delete on crm.signed_out to activity_producer;
