-- A job, the days that are missing, and what came of it.
SELECT copy_incremental_create_job('users', 'shop', 'SELECT * FROM users', window_column => 'created_at',
                                   first_day => current_date - 7, time_zone => 'UTC', mode => 'replace', or_replace => true);
CALL copy_incremental_catch_up();
SELECT job, missing_windows, behind, last_error FROM copy_incremental_jobs;
SELECT day, matches, source_rows, target_rows FROM copy_incremental_verify('users', current_date - 7, current_date - 1);
