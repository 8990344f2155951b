-- A nightly load with pg_cron, without another scheduler.
--
-- Set-up on Debian: run apt-get install postgresql-15-cron, and create /etc/postgresql/15/main/conf.d/pg_cron.conf with
--   shared_preload_libraries = 'pg_cron'
--   cron.use_background_workers = on    # jobs need no password for their own server
-- Restart (pg_ctlcluster 15 main restart). In database postgres, or that of cron.database_name, run as superuser:
--   CREATE EXTENSION pg_cron;
--   GRANT USAGE ON SCHEMA cron TO etl;
--   GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO etl;
-- In database dwh, role etl needs the privileges of "Getting started" in README.md, and for the jobs below:
--   GRANT EXECUTE ON PROCEDURE copy_incremental_backfill TO etl;
--   GRANT SELECT, DELETE ON users TO etl;
--
-- Run this file as etl in the database of pg_cron: psql -h localhost -U etl -d postgres -f pg_cron.sql. The loads run as the
-- same role in the database of the fourth argument, here dwh.
--
-- The times of jobs are in cron.timezone, by default GMT. Compute the day from now() in the same zone; current_date is in
-- the zone of the session. pg_cron runs at most one instance of a job at a time. It does not retry failed jobs or runs that
-- were missed while the server was down; the second job below copies their days.

-- Every night at 01:15: copy yesterday. In mode replace, a second run is harmless.
SELECT cron.schedule_in_database('users-nightly', '15 1 * * *', $job$
  SELECT copy_incremental('src', 'SELECT * FROM users WHERE created_at >= $1 AND created_at < $2',
                          (now() AT TIME ZONE 'UTC')::date - 1, 2000, target => 'public.users', mode => 'replace',
                          replace_where => 'created_at >= $1 AND created_at < $2', time_zone => 'UTC')
$job$, 'dwh');

-- Every hour: copy the missing days of the last week, each in its own transaction. The call commits, so it must be the only
-- statement of its job.
SELECT cron.schedule_in_database('users-missing', '40 * * * *', $job$
  CALL copy_incremental_backfill('src', 'SELECT * FROM users WHERE created_at >= $1 AND created_at < $2',
                                 (now() AT TIME ZONE 'UTC')::date - 7, (now() AT TIME ZONE 'UTC')::date - 1, 2000,
                                 target => 'public.users', mode => 'replace', time_zone => 'UTC',
                                 replace_where => 'created_at >= $1 AND created_at < $2')
$job$, 'dwh');

-- The results of the jobs and of the loads:
SELECT jobname, status, return_message, start_time, end_time
  FROM cron.job_run_details JOIN cron.job USING (jobid) ORDER BY runid DESC LIMIT 10;
-- In dwh: SELECT * FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 10;
