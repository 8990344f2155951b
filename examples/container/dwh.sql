-- The destination: the table, the extension in a schema of its own, the source, and the role that loads.
CREATE TABLE users (id bigint PRIMARY KEY, name text, created_at timestamptz NOT NULL);
CREATE SCHEMA copying;
CREATE EXTENSION pg_copy_incremental SCHEMA copying;
CREATE EXTENSION postgres_fdw;
CREATE SERVER shop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '5433', dbname 'shop');
CREATE ROLE etl LOGIN;
ALTER ROLE etl SET search_path = "$user", public, copying;
CREATE USER MAPPING FOR etl SERVER shop OPTIONS (user 'etl_reader', password 'secret');
GRANT USAGE ON FOREIGN SERVER shop TO etl;
GRANT SELECT, INSERT, DELETE ON users TO etl;
SELECT copying.copy_incremental_grant('etl');
