"""The whole schema in one readable text, from the database's own catalogue.

`make reference` keeps it as db/schema.txt, a test compares.
"""

import psycopg

_OWN_SCHEMAS = (
    "nspname not in ('pg_catalog', 'information_schema', 'public', 'pg_toast')"
    " and nspname not like 'pg_temp%'"
)

_LINES = f"""
select line from (
  select 1 as part, format('table %s.%s', nspname, relname) as of, attnum as n, '' as name,
         format('  %s %s%s%s', attname, format_type(atttypid, atttypmod),
                case when attnotnull then ' not null' else '' end,
                coalesce(' default ' || pg_get_expr(adbin, adrelid),
                         case attidentity when '' then '' else ' identity' end)) as line
    from pg_class c join pg_namespace s on s.oid = relnamespace join pg_attribute a on attrelid = c.oid
    left join pg_attrdef d on adrelid = c.oid and adnum = attnum
   where {_OWN_SCHEMAS} and relkind in ('r', 'p') and attnum > 0 and not attisdropped
  union all
  select 1, format('table %s.%s', nspname, relname), 0, '', format(E'\\ntable %s.%s%s', nspname, relname,
         case when relforcerowsecurity then ' (row-level security, forced)'
              when relrowsecurity then ' (row-level security)' else '' end)
    from pg_class c join pg_namespace s on s.oid = relnamespace where {_OWN_SCHEMAS} and relkind in ('r', 'p')
  union all
  select 1, format('table %s.%s', nspname, relname), 2000, conname,
         format('  constraint %s %s', conname, pg_get_constraintdef(k.oid))
    from pg_constraint k join pg_class c on c.oid = conrelid join pg_namespace s on s.oid = relnamespace
   where {_OWN_SCHEMAS} and contype <> 'n'
  union all
  select 1, format('table %s.%s', nspname, c.relname), 2001, i.relname, '  ' || pg_get_indexdef(i.oid)
    from pg_index x join pg_class i on i.oid = indexrelid join pg_class c on c.oid = indrelid
    join pg_namespace s on s.oid = c.relnamespace
   where {_OWN_SCHEMAS} and not indisprimary and not exists (select from pg_constraint where conindid = i.oid)
  union all
  select 1, format('table %s.%s', nspname, relname), 2002, tgname,
         format('  %s%s', pg_get_triggerdef(t.oid), case tgenabled when 'A' then ' (always)' else '' end)
    from pg_trigger t join pg_class c on c.oid = tgrelid join pg_namespace s on s.oid = relnamespace
   where {_OWN_SCHEMAS} and not tgisinternal
  union all
  select 1, format('table %s.%s', schemaname, tablename), 2003, policyname,
         format('  policy %s for %s to %s using (%s) check (%s)', policyname, cmd,
                array_to_string(roles, ', '), qual, with_check)
    from pg_policies where schemaname not in ('pg_catalog', 'public')
  union all
  select 1, format('table %s.%s', table_schema, table_name), 2004, grantee,
         format('  grant %s to %s', string_agg(privilege_type, ', ' order by privilege_type), grantee)
    from information_schema.table_privileges where grantee like 'activity\\_%' and grantee <> 'activity_owner'
   group by table_schema, table_name, grantee
  union all
  select 1, format('table %s.%s', table_schema, table_name), 2005, grantee || privilege_type,
         format('  grant %s (%s) to %s', privilege_type,
                string_agg(column_name, ', ' order by column_name), grantee)
    from information_schema.column_privileges p
   where grantee like 'activity\\_%' and grantee <> 'activity_owner'
     and not exists (select from information_schema.table_privileges t
                      where (t.table_schema, t.table_name, t.grantee, t.privilege_type)
                          = (p.table_schema, p.table_name, p.grantee, p.privilege_type))
   group by table_schema, table_name, grantee, privilege_type
  union all
  select 2, format('function %s.%s(%s)', nspname, proname, pg_get_function_identity_arguments(p.oid)), 0, '',
         format(E'\\n%s %s.%s(%s)%s%s%s',
                case prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
                nspname, proname, pg_get_function_arguments(p.oid),
                ' returns ' || pg_get_function_result(p.oid),
                case when prosecdef then ' security definer' else '' end,
                coalesce(' to ' || (select string_agg(grantee::regrole::text, ', '
                                                      order by grantee::regrole::text)
                                      from aclexplode(proacl)
                                     where grantee <> proowner and grantee <> 0), ''))
    from pg_proc p join pg_namespace s on s.oid = pronamespace where {_OWN_SCHEMAS}
) described order by part, of, n, name, line
"""  # noqa: S608  # from a constant of this module


def describe(connection: psycopg.Connection) -> str:
    """Return all tables and functions as text.

    A table with its columns, rules, indexes, triggers, policies and grants, a function with who may call it.
    """
    return "\n".join(line for (line,) in connection.execute(_LINES)).strip() + "\n"
