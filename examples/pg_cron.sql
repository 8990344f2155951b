-- Every night, load all that is due and missing, with pg_cron and without another scheduler.
--
-- Debian 12 has pg_cron 1.4.2 (postgresql-15-cron), Debian 13 has 1.6.5 (postgresql-17-cron). Install it, and create
-- /etc/postgresql/15/main/conf.d/pg_cron.conf (on Debian 13: 17) with
--   shared_preload_libraries = 'pg_cron'
--   cron.database_name = 'dwh'                # the database that has the jobs of pg_copy_incremental
--
-- With pg_cron 1.5 or later, on Debian 13, add
--   cron.use_background_workers = on          # pg_cron needs no password for its own server
--   max_worker_processes = 16                 # workers of pg_cron, of pg_copy_incremental and of parallel queries
--   cron.timezone = 'Europe/Berlin'           # of the times below; the default is GMT
--
-- With pg_cron 1.4.2, on Debian 12, leave these three out. Its background workers run one after another, so that a load of
-- an hour would delay every other command by an hour. It has no cron.timezone; times are in GMT. Its launcher connects to the
-- server as the role of each command. Let the operating system user postgres do so through the socket:
--   cron.host = '/var/run/postgresql'
-- as the first line of pg_hba.conf, before "local all all peer":
--   local  dwh  etl  peer map=cron
-- and in pg_ident.conf:
--   cron  postgres  etl
--
-- Restart (pg_ctlcluster 15 main restart). Then, in database dwh, as superuser:
--   CREATE EXTENSION pg_cron;
--   GRANT USAGE ON SCHEMA cron TO etl;
-- Role etl needs what doc/how-to/set-up-a-source.md gives it, and has defined its jobs by copy_incremental_create_job().
--
-- Run this file as etl in database dwh: psql -h localhost -U etl -d dwh -f pg_cron.sql. If cron.database_name is another
-- database, run it there, with SELECT cron.schedule_in_database('catch up', '15 1 * * *', 'CALL ...', 'dwh'); a superuser
-- grants EXECUTE ON FUNCTION cron.schedule_in_database.

-- Every night at 01:15. The call loads every window that is due and missing, of all jobs of etl. It commits, so it must be the
-- only statement of its command. pg_cron does not repeat what failed or what was missed while the server was down; the next
-- call of catch_up does.
SELECT cron.schedule('catch up', '15 1 * * *', 'CALL copy_incremental_catch_up(workers => 4)');

-- Jobs of hours, here visits, need a call every hour; leave this command out if you have none. pg_cron runs at most one
-- instance of a command at a time; if two commands come to the same window, one loads it and the other leaves it out. With
-- 1.5 or later, a schedule such as '30 seconds' works, too.
SELECT cron.schedule('catch up visits', '5 * * * *', $$CALL copy_incremental_catch_up('visits')$$);

-- In the morning: which job is behind, and what pg_cron says of its calls.
SELECT job, behind, missing_windows, last_error FROM copy_incremental_jobs ORDER BY behind DESC NULLS LAST;
SELECT jobname, status, return_message, start_time, end_time
  FROM cron.job_run_details JOIN cron.job USING (jobid) ORDER BY runid DESC LIMIT 10;
