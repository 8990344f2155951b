-- The source: a table of ten days, up to now, and a role that may read it.
CREATE TABLE users (id bigint PRIMARY KEY, name text, created_at timestamptz NOT NULL);
INSERT INTO users
  SELECT i, 'user ' || i, current_date - 10 + i * interval '10 seconds' FROM generate_series(0, 10 * 24 * 360) AS i;
CREATE INDEX ON users (created_at);
CREATE ROLE etl_reader LOGIN PASSWORD 'secret';
GRANT SELECT ON users TO etl_reader;
