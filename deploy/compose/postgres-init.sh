#!/bin/sh
# Run once, by the image of PostgreSQL on an empty volume: a database and a role for each service,
# which can enter its own database only. DATABASES holds database:role pairs; the password of a role
# is in the address that its service gets, postgres://role:password@….
set -eu

psql_as_superuser() {
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"
}

# Every database created afterwards gets them.
for extension in pg_trgm unaccent citext pg_stat_statements; do
  psql_as_superuser --dbname template1 --command "create extension if not exists $extension"
done
psql_as_superuser --dbname postgres --command 'revoke connect on database template1, postgres from public'

for pair in $DATABASES; do
  database=${pair%%:*} role=${pair##*:}
  password=$(sed -n 's#^postgres://[^:]*:\([^@]*\)@.*#\1#p' "/run/secrets/database-url-$role")
  [ -n "$password" ] || { echo "No password for $role in its address." >&2; exit 1; }
  psql_as_superuser --dbname postgres --set "database=$database" --set "role=$role" \
    --set "password=$password" <<'SQL'
create role :"role" login password :'password';
create database :"database" owner :"role";
revoke all on database :"database" from public;
SQL
done
