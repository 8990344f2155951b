-- Shortcuts for psql. Load them with \i shortcuts.sql, or write that line, with the full path, into ~/.psqlrc. Each is a
-- query without its end, so end it with ; or \gx or \watch:
--
--   :jobs;              every job, the one that is furthest behind first
--   :behind;            only the jobs that need attention, and why
--   :progress \watch 1  a page: the windows that are being loaded, and below them what is still missing
--   :runs;              the last 20 runs
--   :errors \gx         the last 5 runs that failed, one column a line
--   :rejected;          rows that are put aside, and how often each error occurred
--
-- These are about one job, for its owner. Say which: \set job users
--
--   :describe;          its columns
--   :explain;           what the next run would do
--   :missing;           its windows that are not loaded, the oldest 50
--   :history;           its last 20 runs
--   :load;              loads what is due and missing
\set jobs 'SELECT job, source, target, mode, window_size, behind, coalesce(missing_windows, missing_ids) AS missing, running, last_success_at, last_error FROM copy_incremental_jobs ORDER BY behind DESC NULLS LAST, job'
\set behind 'SELECT job, behind, coalesce(missing_windows, missing_ids) AS missing, rejects, last_error FROM copy_incremental_jobs WHERE behind > interval ''0'' OR rejects > 0 OR last_error IS NOT NULL ORDER BY behind DESC NULLS LAST, job'
\set progress 'SELECT coalesce(lower(data_interval)::text, id_range::text, ''all'') AS "window", target::text AS "into", state, rows_read AS rows, percent AS "%", rows_per_second AS "rows/s", eta AS "left" FROM copy_incremental_progress UNION ALL SELECT (due_to - behind)::text, coalesce(target, job), ''missing: '' || coalesce(missing_windows || '' windows'', missing_ids || '' ids''), NULL, NULL, NULL, NULL FROM copy_incremental_jobs WHERE behind > interval ''0'' ORDER BY 3, 2, 1'
\set runs 'SELECT run_id, job, target, coalesce(data_interval::text, id_range::text) AS "window", status, rows_written AS rows, ended_at - started_at AS took, message FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 20'
\set errors 'SELECT run_id, job, target, data_interval, id_range, attempt, ended_at, status, sqlstate, message, detail, hint FROM copy_incremental_runs WHERE status IN (''failed'', ''crashed'') ORDER BY run_id DESC LIMIT 5'
\set rejected 'SELECT r.job, r.target, x.run_id, count(*) AS rows, x.sqlstate, min(x.message) AS message FROM copy_incremental_rejects AS x JOIN copy_incremental_runs AS r USING (run_id) WHERE x.loaded_by IS NULL GROUP BY r.job, r.target, x.run_id, x.sqlstate ORDER BY x.run_id DESC, rows DESC'
\set describe 'SELECT * FROM copy_incremental_describe(:''job'')'
\set explain 'SELECT * FROM copy_incremental_explain(:''job'')'
\set missing 'SELECT m.day, m.data_interval, m.id_range, m.status FROM copy_incremental_jobs AS j, copy_incremental_missing(j.job, CASE WHEN j.due_to IS NOT NULL THEN j.first_day END, CASE WHEN j.due_to IS NOT NULL THEN greatest(j.first_day, (j.due_to AT TIME ZONE j.time_zone - interval ''1 second'')::date) END) AS m WHERE j.job = :''job'' ORDER BY m.data_interval, m.id_range LIMIT 50'
\set history 'SELECT run_id, coalesce(data_interval::text, id_range::text) AS "window", attempt, status, rows_written AS rows, ended_at - started_at AS took, message FROM copy_incremental_runs WHERE job = :''job'' ORDER BY run_id DESC LIMIT 20'
\set load 'CALL copy_incremental_catch_up(:''job'')'
