-- A nightly load by pg_cron, without Airflow or any other scheduler.
--
-- On Debian, once: apt-get install postgresql-15-cron, a file /etc/postgresql/15/main/conf.d/pg_cron.conf with
--   shared_preload_libraries = 'pg_cron'
--   cron.use_background_workers = on    # no password is needed to connect to its own server
-- a restart (pg_ctlcluster 15 main restart), and in database postgres (cron.database_name says another), as superuser:
--   CREATE EXTENSION pg_cron;
--   GRANT USAGE ON SCHEMA cron TO etl;
--   GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO etl;
-- In database dwh, role etl needs what README.md's "Getting started" grants, and for what is below:
--   GRANT EXECUTE ON PROCEDURE copy_incremental_backfill TO etl;
--   GRANT SELECT, DELETE ON users TO etl;
--
-- Run this file as etl in the database of pg_cron: psql -h localhost -U etl -d postgres -f pg_cron.sql. The loads run in
-- the database of the fourth argument, here dwh, as the same role.
--
-- Times are in cron.timezone, GMT unless it was set, and so is the day: now() in that zone, never current_date, which
-- is in the session's. pg_cron starts a job once at a time, does not repeat a job that failed, and does not catch up
-- runs that were missed while the server was down: the second job does.

-- Every night at 01:15: yesterday. Mode replace makes a second run harmless.
SELECT cron.schedule_in_database('users-nightly', '15 1 * * *', $job$
  SELECT copy_incremental('src', 'SELECT * FROM users WHERE created_at >= $1 AND created_at < $2',
                          (now() AT TIME ZONE 'UTC')::date - 1, 2000, target => 'public.users', mode => 'replace',
                          replace_where => 'created_at >= $1 AND created_at < $2', time_zone => 'UTC')
$job$, 'dwh');

-- Every hour: the days of the last week that no run has copied, each in a transaction of its own. It must be the only
-- statement of its job, because it commits.
SELECT cron.schedule_in_database('users-missing', '40 * * * *', $job$
  CALL copy_incremental_backfill('src', 'SELECT * FROM users WHERE created_at >= $1 AND created_at < $2',
                                 (now() AT TIME ZONE 'UTC')::date - 7, (now() AT TIME ZONE 'UTC')::date - 1, 2000,
                                 target => 'public.users', mode => 'replace', time_zone => 'UTC',
                                 replace_where => 'created_at >= $1 AND created_at < $2')
$job$, 'dwh');

-- What became of the runs: the jobs, and the loads.
SELECT jobname, status, return_message, start_time, end_time
  FROM cron.job_run_details JOIN cron.job USING (jobid) ORDER BY runid DESC LIMIT 10;
-- In dwh: SELECT * FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 10;
