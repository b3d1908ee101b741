-- An index of what events say, beside the log and kept by a follower. A slice is a stretch of time of one workspace, so that a search reads the newest
-- slices first and ends when its page is full; fastupdate is off, since every probe of a slice would scan the list of what waits.
set role activity_owner;
create table crm.search_slice (
  slice     integer generated always as identity primary key,
  tenant_id integer not null references crm.tenant,
  lo        timestamptz not null,
  documents integer not null default 0
);
create index search_slice_order on crm.search_slice (tenant_id, lo desc);
create table crm.search_document (
  tenant_id   integer not null references crm.tenant,
  seq         bigint not null,
  slice       integer not null,
  occurred_at timestamptz not null,
  tsv         tsvector not null,
  primary key (tenant_id, seq)
);
create index search_document_words on crm.search_document using gin (slice, tsv) with (fastupdate = off);
create table crm.search_word (
  tenant_id integer not null references crm.tenant,
  word      text collate "C" not null,
  primary key (tenant_id, word)
);
create index search_word_near on crm.search_word using gin (tenant_id, word gin_trgm_ops);
call crm.guard('crm.search_slice');
call crm.guard('crm.search_document');
call crm.guard('crm.search_word');

-- As the owner: under a reader's policy @@ and % would be tried row by row. The workspace is the transaction's, and without one there is nothing.
-- Where the time is up, the last row has no seq: everything after its moment was looked at.
create function crm.search(query text, before timestamptz, before_seq bigint, since timestamptz, most integer, budget_ms integer)
returns table (occurred_at timestamptz, seq bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  part record;
  found_now integer;
  left_over integer := most;
  wanted tsquery := query::tsquery;
begin
  for part in select s.slice, s.lo from crm.search_slice s
               where s.tenant_id = activity.current_tenant() and s.lo <= search.before order by s.lo desc loop
    return query
      select d.occurred_at, d.seq from crm.search_document d
       where d.slice = part.slice and d.tsv @@ wanted and (d.occurred_at, d.seq) < (search.before, search.before_seq) and d.occurred_at >= search.since
       order by d.occurred_at desc, d.seq desc limit left_over;
    get diagnostics found_now = row_count;
    left_over := left_over - found_now;
    exit when left_over <= 0 or part.lo <= search.since;
    if part.lo > '-infinity' and clock_timestamp() - statement_timestamp() > budget_ms * interval '1 ms' then
      return query select part.lo, null::bigint;
      exit;
    end if;
  end loop;
end $$;
create function crm.search_words(beginning text, most integer) returns setof text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select word from crm.search_word
   where tenant_id = activity.current_tenant() and word >= beginning and word < beginning || chr(1114111)
   order by length(word), word limit most
$$;
create function crm.search_near(wanted text, most integer) returns setof text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp set enable_seqscan = off as $$
begin
  return query select word::text from crm.search_word
    where tenant_id = activity.current_tenant() and word % search_near.wanted
    order by similarity(word, search_near.wanted) desc, word limit search_near.most;
end $$;
revoke all on function crm.search(text, timestamptz, bigint, timestamptz, integer, integer), crm.search_words(text, integer),
  crm.search_near(text, integer) from public;
grant execute on function crm.search(text, timestamptz, bigint, timestamptz, integer, integer), crm.search_words(text, integer),
  crm.search_near(text, integer) to activity_reader, activity_producer;
