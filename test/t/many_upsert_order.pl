# Windows of an upsert that have the same keys: the last window wins, whatever the number of workers is, and nothing deadlocks.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\n", destination => "timezone = 'UTC'\nmax_worker_processes = 16\n");
sub results { return one_line($destination, 'default', @_); }

# The keys of each day are in another order.
my $rows = 3000;
$source->safe_psql('postgres', "CREATE TABLE hist (day date, id int, v text);
	INSERT INTO hist SELECT date '2024-01-01' + d, g, d::text FROM generate_series(0, 5) AS d, generate_series(1, $rows) AS g ORDER BY d, CASE d % 2 WHEN 0 THEN g ELSE -g END");
my $query = 'SELECT * FROM hist WHERE day >= $1 AND day < $2';
my $backfill = sub { "CALL copy_incremental_backfill('hist', '2024-01-01', '2024-01-06', workers => $_[0], reprocess => 'all')" };
my $define = sub { define_job('hist', $query, mode => "'upsert'", first_day => "'2024-01-01'", batch => 100, @_) };
my $last = "SELECT count(*), min(v), max(v) FROM hist";
my $notice = qr/NOTICE:  windows of job "hist" are loaded one after the other DETAIL:  They may have rows with the same key.* HINT:  .*update_where/;

$destination->safe_psql('postgres', 'CREATE TABLE hist (day date, id int PRIMARY KEY, v text)');
for my $workers (1, 4)
{
	my $said = results('TRUNCATE hist', $define->(), $backfill->($workers));
	like($said, $workers == 1 ? qr/^NOTICE:  job "hist": 6 windows, @{[6 * $rows]} rows$/ : qr/$notice.*job "hist": 6 windows, @{[6 * $rows]} rows/, "$workers workers: what is said");
	is(results($last), "$rows|5|5", "$workers workers: the last day wins");
}
is(results(q[DO 'BEGIN PERFORM copy_incremental_drop_job(''hist''); END'], $define->(window_column => "'day'") =~ s/ WHERE day >= \$1 AND day < \$2//r, 'TRUNCATE hist', 'SET client_min_messages = error', $backfill->(4), $last), "$rows|5|5", 'with window_column');

# Several jobs at once, each in order; a worker is killed in the middle of one.
$destination->safe_psql('postgres', "CREATE TABLE second (day date, id int PRIMARY KEY, v text); CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN IF NEW.day = date ''2024-01-03'' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END';
	SELECT copy_incremental_drop_job('hist')");
my @due = (lag => "now() - timestamptz '2024-01-07'");
my @jobs = ($define->(@due), define_job('second', $query, mode => "'upsert'", target => "'second'", first_day => "'2024-01-01'", batch => 100, @due));
my $catch_up = 'CALL copy_incremental_catch_up(workers => 4)';
like(results('TRUNCATE hist', @jobs, $catch_up), qr/job "hist": 6 windows, @{[6 * $rows]} rows.*job "second": 6 windows, @{[6 * $rows]} rows|job "second": 6 windows.*job "hist": 6 windows/, 'two jobs, each in order');
is(results($last, $last =~ s/hist/second/r), "$rows|5|5 $rows|5|5", 'the last day wins in both');
like(results('TRUNCATE hist, second', 'DELETE FROM pgci_coverage', 'CREATE TRIGGER die BEFORE INSERT OR UPDATE ON hist FOR EACH ROW EXECUTE FUNCTION die()', $catch_up),
	qr/job "hist": window 2024-01-03 failed: .*1 of 2 jobs failed/, 'a worker is killed');
is(results($last, $last =~ s/hist/second/r), "$rows|5|5 $rows|5|5", 'the windows that it has left are loaded in order');
$destination->safe_psql('postgres', 'DROP TRIGGER die ON hist');

# update_where says which row is newer; the key contains the column of the window: all workers at once. Transactions that write
# keys in different orders could wait for each other, so the query sorts the rows.
unlike(results('TRUNCATE hist', define_job('hist', "$query ORDER BY id", mode => "'upsert'", first_day => "'2024-01-01'", batch => 100, update_where => "'excluded.day >= hist.day'"), $backfill->(4)), qr/one after the other|WARNING|ERROR/, 'update_where: at the same time');
is(results($last), "$rows|5|5", 'update_where: the last day wins');
unlike(results('DROP TABLE hist', 'CREATE TABLE hist (day date, id int, v text, PRIMARY KEY (day, id))', "SELECT copy_incremental_drop_job('hist')", $define->(), $backfill->(4)),
	qr/one after the other|WARNING|ERROR/, 'a key with the column of the window: at the same time');
is(results($last), 6 * $rows . '|0|5', 'every day is there');

# A day without its month is that of many windows.
my $by_month = sub { define_job('months', q[SELECT date_trunc('month', day)::date AS day, id, v FROM hist WHERE day >= $1 AND day < $2], mode => "'upsert'", target => "'months'", first_day => "'2024-01-01'", batch => 100, @_) };
like(results('CREATE TABLE months (day date, id int, v text, PRIMARY KEY (day, id))', $by_month->(), $backfill->(4) =~ s/hist/months/r), qr/one after the other/, 'a key with another column of the name: in order');
is(results($last =~ s/hist/months/r), "$rows|5|5", 'the last day wins');
$source->safe_psql('postgres', q[CREATE VIEW moments AS SELECT day + interval '1 hour' AS day, id, v FROM hist]);
like(results('DROP TABLE months', 'CREATE TABLE months (day date, id int, v text, PRIMARY KEY (day, id))', q[SELECT copy_incremental_drop_job('months')],
		define_job('months', 'SELECT * FROM moments', window_column => "'day'", mode => "'upsert'", target => "'months'", first_day => "'2024-01-01'", window_size => "'6 hours'"), q[CALL copy_incremental_backfill('months', '2024-01-01', '2024-01-02', workers => 4)]),
	qr/one after the other/, 'a key with a day of the column: in order');

# A repair of windows in order: the last day remains.
results('DROP TABLE hist', 'CREATE TABLE hist (day date, id int PRIMARY KEY, v text)', q[SELECT copy_incremental_drop_job('hist')], $define->(), $backfill->(1));
like(results($backfill->(4) =~ s/'all'/'different'/r), qr/one after the other/, 'a repair: in order');
is(results($last), "$rows|5|5", 'the last day wins');

# An older window alone
my $warning = qr/WARNING:  later windows of job "hist" are loaded already DETAIL:  .* HINT:  Say with update_where/;
like(results(q[SELECT copy_incremental_run('hist', '2024-01-02')]), $warning, 'an older window: a warning');
like(results(q[CALL copy_incremental_backfill('hist', '2024-01-01', '2024-01-03', reprocess => 'all')]), qr/^$warning[^.]*\.[^.]*NOTICE:  job "hist": 3 windows, \d+ rows$/, 'some older windows: one');
unlike(results($backfill->(1)), qr/WARNING/, 'all windows in order: none');
unlike(results('TRUNCATE hist', q[SELECT copy_incremental_forget('hist', NULL, NULL)], map { "SELECT copy_incremental_run('hist', '2024-01-0$_')" } 1 .. 3), qr/WARNING/, 'the next windows: none');

# Runs of one job in different sessions wait for each other.
$destination->safe_psql('postgres', "DROP TABLE hist; CREATE TABLE hist (day date, id int PRIMARY KEY, v text); SELECT copy_incremental_drop_job('hist'); " . $define->());
my $other = $destination->background_psql('postgres');
$other->query_safe("SET client_min_messages = error; BEGIN; SELECT copy_incremental_run('hist', '2024-01-01')");
my $run = $destination->safe_psql('postgres', "SELECT copy_incremental_start('hist', '2024-01-02')");
wait_until($destination, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted");
$other->query_safe('COMMIT');
is(results("SELECT copy_incremental_wait($run)", "SELECT status FROM copy_incremental_runs WHERE run_id = $run"), "t succeeded", "a run waits for the other");
is(results($last), "$rows|1|1", 'and wins');
$other->quit;
done_testing();
