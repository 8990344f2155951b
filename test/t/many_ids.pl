# Jobs of ids: how they are defined, loaded in windows by catch_up and backfill, in workers too; verify, repair, missing, forget,
# explain and the views speak of ids.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "fsync = off\n", destination => "fsync = off\nmax_worker_processes = 12\n");
on_both('CREATE TABLE events (id bigserial PRIMARY KEY, v text)', $source, $destination);
$source->safe_psql('postgres', 'INSERT INTO events (v) SELECT g FROM generate_series(1, 1000) AS g');
sub sql { return one_line($destination, 'default', @_) }
my $query = 'SELECT * FROM events';
sub job { my ($name, %argument) = @_; return define_job($name, $argument{query} // $query, window_column => "'id'", map { $_ => $argument{$_} } grep { $_ ne 'query' } keys %argument) }

# The definition.
is(sql(job('events', window_size_rows => 300)), '', 'a job of ids');
is(sql(q[SELECT window_size, window_size_rows, first_id, covered, covered_ids, settled_id, highest_id, missing_ids, missing_windows, behind FROM copy_incremental_jobs]), '|300|||{}|||0||00:00:00', 'the view of jobs');
for my $case (
	[ 'first_day', { first_day => "'2024-01-01'" }, qr/first_day has no meaning with windows of ids/ ],
	[ 'window_size', { window_size => "'1 hour'" }, qr/window_size has no meaning with windows of ids/ ],
	[ 'no windows', { window_size => 'NULL' }, qr/window_column has no meaning without a window/ ],
	[ 'window_size_rows 0', { window_size_rows => 0 }, qr/window_size_rows must be positive, but is 0/ ],
	[ 'lookback', { lookback => 1, mode => "'upsert'" }, qr/lookback has no meaning with windows of ids/ ],
	[ 'column_time_zone', { column_time_zone => "'UTC'" }, qr/column_time_zone has no meaning with windows of ids/ ],
	[ 'replace_where', { mode => "'replace'", replace_where => "'id >= \$1 AND id < \$2'" }, qr/replace_where has no meaning with windows of ids/ ])
{
	my ($name, $argument, $message) = @$case;
	fails_with($destination, job('wrong', %$argument), '22023', $message, "the definition: $name");
}
fails_with($destination, define_job('wrong', "SELECT now() AS at, * FROM events", target => "'events'", window_column => "'at'", $_ => 7), '22023', qr/$_ has no meaning without windows of ids/, "the definition: $_ without ids")
  for qw(first_id window_size_rows);
fails_with($destination, copy_sql($query, '2024-01-01', window_column => "'id'"), '42804', qr/window_column "id" is of type bigint.*HINT:  If it is an id, define a job/s, 'a call has no windows of ids');
fails_with($destination, define_job('wrong', 'SELECT id::numeric AS id, v FROM events', target => "'events'", window_column => "'id'"), '42804', qr/window_column "id" is of type numeric/, 'another number');

# The first load: everything up to now, in windows.
is(sql(q[SELECT copy_incremental_run_ids('events', int8range(1, 11))]), 10, 'a run of some ids');
is(sql(q[CALL copy_incremental_catch_up('events')]), 'NOTICE:  job "events": 4 windows, 990 rows', 'catch_up loads the others');
same_rows($source, $destination, 'events', 'the first load');
is(sql(q[SELECT string_agg(id_range::text, ' ' ORDER BY id_range), count(data_interval), bool_and(settled) FROM copy_incremental_runs]), '[1,11) [11,300) [300,600) [600,900) [900,1001)|0|t', 'the ledger has ranges of ids');
is(sql(q[SELECT covered_ids, settled_id, highest_id, missing_ids, behind FROM copy_incremental_jobs]), '{[1,1001)}|1000|1000|0|00:00:00', 'nothing is missing');
$source->safe_psql('postgres', 'INSERT INTO events (v) SELECT g FROM generate_series(1, 5) AS g');
is(sql(q[CALL copy_incremental_catch_up()]), 'NOTICE:  job "events": 1 window, 5 rows', 'catch_up of all jobs');
is(sql(q[CALL copy_incremental_catch_up()]), 'NOTICE:  no job of role "postgres" has a window that is due and missing', 'and nothing is left');
like(sql(q[SELECT copy_incremental_run_ids('events', int8range(990, 1002))]), qr/^ERROR:  window \[990, 1002\) of job "events" into public.events was already loaded DETAIL: .* wrote 5 rows of \[1001,1006\)/, 'append refuses ids that were loaded');

# What takes days takes ids.
for my $case (
	[ q[SELECT copy_incremental_run('events', '2024-01-01')], '22023', qr/has windows of ids, not of time/ ],
	[ q[SELECT copy_incremental_run_range('events', tstzrange('2024-01-01', '2024-01-02'))], '22023', qr/has windows of ids, not of time/ ],
	[ q[SELECT copy_incremental_run_ids('events', NULL)], '22004', qr/argument "ids" must not be null/ ],
	[ q[SELECT copy_incremental_run_ids('events', 'empty')], '22023', qr/ids must not be empty/ ],
	[ q[SELECT copy_incremental_run_ids('events', int8range(1, NULL))], '22023', qr/ids must have a start and an end/ ],
	[ q[CALL copy_incremental_backfill('events')], '22004', qr/has windows of ids, so ids must not be NULL/ ],
	[ q[CALL copy_incremental_backfill('events', '2024-01-01', '2024-01-02')], '22023', qr/has windows of ids, not of time/ ],
	[ q[CALL copy_incremental_backfill('events', '2024-01-01', '2024-01-02', ids => int8range(1, 2))], '22023', qr/days and ids cannot be used together/ ],
	[ q[SELECT * FROM copy_incremental_verify('events', '2024-01-01')], '22023', qr/has windows of ids, not of time/ ],
	[ q[SELECT * FROM copy_incremental_explain('events', '2024-01-01')], '22023', qr/has windows of ids, not of time/ ],
	[ q[SELECT copy_incremental_forget('events', '2024-01-01', '2024-01-01', 'events')], '22023', qr/has windows of ids, not of time/ ])
{
	fails_with($destination, $case->[0], $case->[1], $case->[2], $case->[0]);
}
sql(define_job('days', "SELECT *, timestamptz '2024-01-01' + id * interval '1 second' AS at FROM events", target => "'days'", window_column => "'at'"), 'CREATE TABLE days (id bigint, v text, at timestamptz)');
fails_with($destination, $_, '22023', qr/has windows of time, not of ids/, $_) for q[SELECT copy_incremental_run_ids('days', int8range(1, 2))], q[SELECT * FROM copy_incremental_missing('days', ids => int8range(1, 2))], q[CALL copy_incremental_backfill('days', ids => int8range(1, 2))];
sql(q[SELECT copy_incremental_drop_job('days')]);

is(sql(q[SELECT * FROM copy_incremental_missing('events', ids => int8range(900, 1100))]), '||[1006,1100)|missing', 'missing');
is(sql(q[SELECT * FROM copy_incremental_verify('events', ids => int8range(500, 700))]), '||[500,600)|t|100|100|0|0|0 ||[600,700)|t|100|100|0|0|0', 'verify');
$source->safe_psql('postgres', q[UPDATE events SET v = 'changed' WHERE id = 550; DELETE FROM events WHERE id = 650]);
is(sql(q[CALL copy_incremental_catch_up('events')]), 'NOTICE:  job "events": 0 windows, 0 rows', 'old rows that change are not seen');
is(sql(q[SELECT difference, key->>'id' FROM copy_incremental_verify_rows('events', ids => int8range(500, 700)) ORDER BY 1]), 'changed|550 extra|650', 'verify_rows');
is(sql(q[SELECT * FROM copy_incremental_repair('events', ids => int8range(500, 700))]), '||[500,600)|0|1|0|100 ||[600,700)|0|0|1|99', 'repair');
same_rows($source, $destination, 'events', 'repair');
is(sql('DELETE FROM events WHERE id BETWEEN 100 AND 199', q[SELECT copy_incremental_forget('events', NULL, NULL, ids => int8range(100, 200))], q[SELECT covered_ids, missing_ids FROM copy_incremental_jobs]), '1 {[1,100),[200,1006)}|100', 'forget: a part');
is(sql(q[CALL copy_incremental_backfill('events', ids => int8range(100, 200))], 'SELECT count(*), count(DISTINCT id) FROM events WHERE id < 200'), '199|199NOTICE:  job "events": 1 window, 100 rows', 'a part is loaded again, and nothing else');
is(sql('DELETE FROM events WHERE id BETWEEN 100 AND 199', q[SELECT copy_incremental_forget('events', NULL, NULL, ids => int8range(100, 200))]), '1', 'forget: a part of a run that has loaded it since');
is(sql(q[SELECT copy_incremental_forget('events', NULL, NULL, ids => int8range(1, 300))], q[SELECT covered_ids FROM copy_incremental_jobs]), '2 {[300,1006)}', 'forget: whole runs');
is(sql('DELETE FROM events WHERE id < 300', q[CALL copy_incremental_backfill('events', ids => int8range(1, 250))]), 'NOTICE:  job "events": 1 window, 249 rows', 'backfill: what is missing of these ids');
like(sql(q[CALL copy_incremental_catch_up('events')]), qr/^NOTICE:  job "events": 1 window, 50 rows/, 'catch_up: the rest');
same_rows($source, $destination, 'events', 'forgotten rows');

# Explain and describe.
my $said = $destination->safe_psql('postgres', q[SELECT item || ': ' || value FROM copy_incremental_explain('events')]);
like($said, qr/^window size: 300 ids$/m, 'explain: the size of windows');
like($said, qr/^first id: the lowest$/m, 'explain: the first id');
like($said, qr/^covered: \[1, 1006\)$/m, 'explain: coverage');
like($said, qr/^settled id: 1005$/m, 'explain: settled');
like($said, qr/^highest id: 1005$/m, 'explain: the highest id');
like($said, qr/^ids: from sequence public.events_id_seq/m, 'explain: where ids come from');
like($said, qr/^note: rows that are updated or deleted at the source after they were loaded are not seen; copy_incremental_repair\(\) finds them$/m, 'explain: what is not seen');
like($said, qr/^window: \[1006, 1200\)$/m, 'explain: the next window');
like($said, qr/^query: .*?q."id" OPERATOR\(pg_catalog.>=\) \$1::pg_catalog.int8/ms, 'explain: the query');
unlike($said, qr/^warning/m, 'explain: no warning');
is($destination->safe_psql('postgres', q[SELECT count(*) FROM copy_incremental_describe('events')]), 2, 'describe');
like($destination->safe_psql('postgres', q[SELECT string_agg(item || ': ' || value, ' ') FROM copy_incremental_explain('events', ids => int8range(5, 7))]), qr/window: \[5, 7\)/, 'explain of some ids');

# Other modes and integers; a failure, workers, the same call again.
$source->safe_psql('postgres', 'CREATE TABLE small (id smallserial PRIMARY KEY, v text); INSERT INTO small (v) SELECT g FROM generate_series(1, 3000) AS g; CREATE TABLE parts (id int GENERATED ALWAYS AS IDENTITY, v text) PARTITION BY RANGE (id); CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (1) TO (100); CREATE TABLE part2 PARTITION OF parts DEFAULT; INSERT INTO parts (v) SELECT g FROM generate_series(1, 200) AS g');
$destination->safe_psql('postgres', 'CREATE TABLE small (id smallint PRIMARY KEY, v text CHECK (v <> $$777$$)); CREATE TABLE parts (id int PRIMARY KEY, v text)');
is(sql(job('small', query => 'SELECT * FROM small', mode => "'replace'", window_size_rows => 100), job('parts', query => 'SELECT * FROM parts', mode => "'upsert'")), '', 'smallint, and a partitioned table');
like(sql(q[CALL copy_incremental_catch_up('small', workers => 4)]), qr/WARNING:  job "small": window \[700, 800\) failed: .*NOTICE:  job "small": 30 windows, 2900 rows; 1 failed/, 'workers: one window fails');
is(sql(q[SELECT covered_ids, missing_ids, last_error IS NOT NULL FROM copy_incremental_jobs WHERE job = 'small']), '{[1,700),[800,3001)}|100|t', 'the others are covered');
$destination->safe_psql('postgres', 'ALTER TABLE small DROP CONSTRAINT small_v_check');
is(sql(q[CALL copy_incremental_backfill('small', ids => int8range(1, 3001), reprocess => 'failed')]), 'NOTICE:  job "small": 1 window, 100 rows DETAIL:  1 of 31 windows failed before.', 'backfill: the one that failed');
same_rows($source, $destination, 'small', 'workers');
is(sql(q[CALL copy_incremental_backfill('small', ids => int8range(1, 250), reprocess => 'all', workers => 2)]), 'NOTICE:  job "small": 3 windows, 249 rows', 'replace: the slice is that of the ids');
same_rows($source, $destination, 'small', 'replace');
is(sql(q[SELECT copy_incremental_run_ids('small', int8range(3001, 40000))]) =~ s/WARNING.*//r, 0, 'an end that smallint does not have');
is(sql(q[CALL copy_incremental_catch_up('parts')]), 'NOTICE:  job "parts": 1 window, 200 rows', 'upsert, partitions');
same_rows($source, $destination, 'parts', 'upsert');
is(sql(q[SELECT copy_incremental_start('small', ids => int8range(1, 11)) IS NOT NULL], q[SELECT copy_incremental_wait(max(run_id)) FROM copy_incremental_runs], q[SELECT id_range, rows_written FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1]), 't t [1,11)|10', 'start');

# first_id, and what or_replace keeps.
$destination->safe_psql('postgres', 'CREATE TABLE late_start (id bigint, v text)');
is(sql(job('late', target => "'late_start'", first_id => 1001), q[CALL copy_incremental_catch_up('late')]), 'NOTICE:  job "late": 1 window, 5 rows', 'first_id');
is(sql(job('late', target => "'late_start'", window_size_rows => 10), q[SELECT first_id, window_size_rows, covered_ids FROM copy_incremental_jobs WHERE job = 'late']), '1001|10|{[1001,1006)}', 'or_replace keeps it');
fails_with($destination, define_job('late', "SELECT id, v, now() AS at FROM events", target => "'late_start'", window_column => "'at'", transform => "'SELECT id, v FROM batch'"), '0A000', qr/the kind of the windows of job "late" cannot be changed/, 'or_replace does not change ids to days');

# A window of time and one of ids of the same table wait for each other, and append refuses both.
$destination->safe_psql('postgres', 'CREATE TABLE every_id (id bigint, v text)');
is(sql(copy_sql($query, undef, target => "'every_id'", on_rerun => "'error'"), job('every_id', target => "'every_id'"), q[SELECT copy_incremental_run_ids('every_id', int8range(1, 11))]) =~ s/ DETAIL.*//r, '1004ERROR:  window [1, 11) of job "every_id" into public.every_id was already loaded by another query', 'a whole result has every id');

# A notification, and a dump.
my ($listener) = open_session($destination);
$listener->query_safe('LISTEN copy_incremental');
is(sql(q[SELECT copy_incremental_run_ids('small', int8range(5, 8))]), 3, 'a run');
like($listener->query('SELECT 1') . $listener->query('SELECT 1'), qr/"window" : \[5, 8\]/, 'its notification');
$listener->quit;
# The largest id
$source->safe_psql('postgres', 'CREATE TABLE largest (id bigint PRIMARY KEY); INSERT INTO largest VALUES (1), (9223372036854775807)');
$destination->safe_psql('postgres', 'CREATE TABLE largest (id bigint); ' . define_job('largest', 'SELECT * FROM largest', window_column => "'id'", settle => "'off'", target => "'largest'"));
fails_with($destination, "CALL copy_incremental_catch_up('largest')", '22003', qr/the highest id at the source of job "largest" is the largest bigint/, 'the largest id');
is(sql('SELECT count(*) FROM largest', 'SELECT count(*) FROM copy_incremental_jobs'), '0 6', 'nothing is loaded, and the view shows the job');
no_session_left($source, 'no session is left at the source');
done_testing();
