# CALL copy_incremental_backfill(): which days it copies, what becomes of a day that fails, and what it says; and
# copy_incremental_missing().
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\n", destination => "timezone = 'UTC'\n");

sub results { return one_line($destination, 'default', @_); }

# A call over the first days of July; the arguments are the text of SQL.
sub backfill
{
	my ($query, $last, @more) = @_;
	return sprintf(q[CALL copy_incremental_backfill('src', $q$%s$q$, '2018-07-01', '2018-07-%02d'%s)],
		$query, $last, join '', map { ", $_" } 'batch => 3', @more);
}

my $create = 'CREATE TABLE job (id int PRIMARY KEY, day date, value int)';
$source->safe_psql('postgres', "$create; INSERT INTO job SELECT g, date '2018-07-01' + g / 10, g FROM generate_series(0, 99) AS g");
$destination->safe_psql('postgres', $create);
my $query = 'SELECT * FROM job WHERE day = $1';
my $days = q[SELECT string_agg(concat(day - date '2018-06-30', ':', n), ' ' ORDER BY day)
	FROM (SELECT day, count(*) AS n FROM job GROUP BY day) AS d];
my $ledger = q[SELECT string_agg(concat(lower(data_interval)::date - date '2018-06-30', status, sqlstate), ' ' ORDER BY run_id)
	FROM copy_incremental_runs];
my $missing = q[SELECT string_agg((d - date '2018-06-30')::text, ' ') FROM copy_incremental_missing('job', '2018-07-01', '2018-07-04') AS d];

# Every day, then only those that are missing.
my $notice = sub { my ($day, $done, $all) = @_; return qr/NOTICE:  2018-07-0$day: 10 rows in \d+\.\d\d s \($done of $all\)/; };
like(results(backfill($query, 3)), qr/^${\$notice->(1, 1, 3)} ${\$notice->(2, 2, 3)} ${\$notice->(3, 3, 3)}$/, 'a NOTICE for each day');
is(results($days, $ledger), '1:10 2:10 3:10 1succeeded 2succeeded 3succeeded', 'every day is there, and in the ledger');
is(results($missing), '4', 'one of four days is missing');
like(results(backfill($query, 4)), qr/^NOTICE:  3 of 4 days are there already ${\$notice->(4, 1, 1)}$/, 'only the missing day is copied');
like(results(backfill($query, 4)), qr/^NOTICE:  4 of 4 days are there already$/, 'then none is');
is(results($days, $ledger, $missing), '1:10 2:10 3:10 4:10 1succeeded 2succeeded 3succeeded 4succeeded', 'no day is there twice');

# Another query is other runs: a second source of the same table has days of its own.
like(results(backfill("$query AND true", 1, "mode => 'skip'")), qr/2018-07-01: 0 rows/, 'another query has its own days');

# A day that fails: at the source, at a constraint, at a deferred constraint.
sub fresh { return ('TRUNCATE job', 'DELETE FROM pgci_runs'); }
for my $case (
	[ 'at the source', 'SELECT id, day, 100 / (value - 15) AS value FROM job WHERE day = $1', undef, undef, '22012', 'division by zero' ],
	[ 'a constraint', $query, 'ALTER TABLE job ADD CONSTRAINT c CHECK (id <> 15)', 'ALTER TABLE job DROP CONSTRAINT c', '23514',
		'new row for relation "job" violates check constraint "c"' ],
	[ 'a deferred constraint', $query, 'CREATE TABLE ok (id int PRIMARY KEY); INSERT INTO ok SELECT g FROM generate_series(0, 99) AS g WHERE g <> 15;
		ALTER TABLE job ADD CONSTRAINT c FOREIGN KEY (value) REFERENCES ok DEFERRABLE INITIALLY DEFERRED',
		'ALTER TABLE job DROP CONSTRAINT c; DROP TABLE ok', '23503', 'insert or update on table "job" violates foreign key constraint "c"' ])
{
	my ($name, $sql, $break, $repair, $sqlstate, $message) = @$case;
	my $said = results(fresh(), $break // (), backfill($sql, 4));
	like($said, qr/^NOTICE:  2018-07-01: .* WARNING:  2018-07-02 failed: \Q$message\E \(2 of 4\) .*NOTICE:  2018-07-03: .* NOTICE:  2018-07-04: /,
		"$name: the other days are copied");
	like($said, qr/ERROR:  1 of 4 days failed DETAIL:  2018-07-02: \Q$message\E \(SQLSTATE $sqlstate\) HINT:  The other days are there\. Remove the cause and call again with reprocess => 'missing'\./,
		"$name: the error names the day");
	like((fails_with($destination, backfill($sql, 4), $sqlstate, qr/1 of 1 days failed/, "$name: it has that SQLSTATE")),
		qr/WARNING:  $sqlstate: 2018-07-02 failed/, "$name: and the WARNING");
	is(results($days, $ledger, $missing), "1:10 3:10 4:10 1succeeded 2failed$sqlstate 3succeeded 4succeeded 2failed$sqlstate 2",
		"$name: nothing of the day, its error in the ledger");
	is(results("SELECT DISTINCT message FROM copy_incremental_runs WHERE status = 'failed'"), $message, "$name: with its message");
	$source->safe_psql('postgres', 'UPDATE job SET value = 0 WHERE id = 15') unless $break;
	like(results($repair // (), backfill($sql, 4)), qr/^NOTICE:  3 of 4 days are there already NOTICE:  2018-07-02: 10 rows in \S+ s \(1 of 1\)$/,
		"$name: the same call completes it");
	$source->safe_psql('postgres', 'UPDATE job SET value = id') unless $break;
}

# reprocess.
results(fresh(), 'ALTER TABLE job ADD CONSTRAINT c CHECK (id NOT IN (5, 25))', backfill($query, 3));
like(results('ALTER TABLE job DROP CONSTRAINT c', backfill($query, 4, "reprocess => 'failed'")), qr/^NOTICE:  2 of 4 days failed before NOTICE:  2018-07-01: 10 rows .* NOTICE:  2018-07-03: 10 rows \S+ \S+ s \(2 of 2\)$/,
	'failed: only the days that failed, not one that never ran');
is(results($days), '1:10 2:10 3:10', 'failed: they are there now');
like(results(backfill($query, 4, "reprocess => 'failed'")), qr/^NOTICE:  0 of 4 days failed before$/, 'failed: no more');
like(results(backfill($query, 4, "reprocess => 'all'")), qr/^ERROR:  reprocess => 'all' in mode append would double/, 'all: append is refused');
my @replace = ("mode => 'replace'", q[replace_where => 'day = $1']);
$source->safe_psql('postgres', 'UPDATE job SET value = -id');
like(results(backfill($query, 4, "reprocess => 'all'", @replace)), qr/2018-07-04: 10 rows in \S+ s \(4 of 4\)$/, 'all: replace');
is(results($days, 'SELECT sum(value) FROM job'), '1:10 2:10 3:10 4:10 -780', 'all: every day anew');
like(results('ALTER TABLE job ADD CONSTRAINT c CHECK (id <> 15) NOT VALID', backfill($query, 2, "reprocess => 'all'", @replace)),
	qr/HINT: .* reprocess => 'failed'\.$/, 'all: the hint says what does the rest alone');
is(results($days, 'ALTER TABLE job DROP CONSTRAINT c'), '1:10 2:10 3:10 4:10', 'a replace that fails leaves the day as it was');

# What is wrong with every day is an error before the first.
for my $case (
	[ 'no table', backfill('SELECT * FROM no_such_table WHERE day = $1', 2), '42P01' ],
	[ 'no column', backfill('SELECT *, 1 AS extra FROM job WHERE day = $1', 2, "target => 'job'"), '42804' ],
	[ 'no day in the template', backfill('SELECT * FROM job', 2), '22023' ],
	[ 'no server', backfill($query, 2) =~ s/'src'/'no_such'/r, '42704' ],
	[ 'no key', backfill($query, 2, "mode => 'upsert'", "key_columns => '{value}'"), '42P10' ],
	[ 'last before first', backfill($query, 0) =~ s/07-00/06-30/r, '22023' ],
	[ 'no first day', backfill($query, 2) =~ s/'2018-07-01'/NULL/r, '22004' ],
	[ 'no last day', backfill($query, 2) =~ s/'2018-07-02'/NULL/r, '22004' ],
	[ 'infinite', backfill($query, 2) =~ s/'2018-07-02'/'infinity'/r, '22008' ],
	[ 'too many days', backfill($query, 2) =~ s/'2018-07-02'/'2999-01-01'/r, '22023' ],
	[ 'jobs 0', backfill($query, 2, 'jobs => 0'), '22023' ],
	[ 'jobs 65', backfill($query, 2, 'jobs => 65'), '22023' ],
	[ 'jobs NULL', backfill($query, 2, 'jobs => NULL'), '22004' ],
	[ 'reprocess', backfill($query, 2, "reprocess => 'some'"), '22023' ],
	[ 'a transaction block', 'BEGIN; ' . backfill($query, 2), '2D000' ],
	[ 'a read-only transaction', 'SET default_transaction_read_only = on; ' . backfill($query, 2), '25006' ])
{
	my ($name, $sql, $sqlstate) = @$case;
	fails_with($destination, "DELETE FROM pgci_runs; $sql", $sqlstate, qr/./, "refused: $name");
}
is(results('SELECT count(*) FROM copy_incremental_runs'), 0, 'refused: no day ran');

# A cancel ends all; the days before stay, and the same call does the rest.
my ($session, $pid) = open_session($destination);
results(fresh(), 'CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END$$',
	'CREATE TRIGGER wait BEFORE INSERT ON job FOR EACH ROW WHEN (new.id = 25) EXECUTE FUNCTION wait()');
my ($holder) = open_session($destination);
$holder->query_safe('SELECT pg_advisory_lock(7)');
start_call($session, backfill($query, 5));
ok(wait_until($destination, "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $pid"), 'the third day waits');
results("SELECT pg_cancel_backend($pid)");
my ($sqlstate) = end_of_call($session);
is($sqlstate, '57014', 'cancelled');
no_session_left($source, 'nothing runs at the source');
is(results($days, $ledger), '1:10 2:10 1succeeded 2succeeded', 'the days before it stay, the one in hand is gone');
$holder->quit;
like($session->query_safe(backfill($query, 5)), qr/^$/, 'the session can do the rest');
is(results($days), '1:10 2:10 3:10 4:10 5:10', 'which completes it');
$session->quit;

# copy_incremental_missing(): whoever ran them, by whatever windows; who may ask.
results(fresh(), 'DROP TRIGGER wait ON job', backfill($query, 1), 'CREATE ROLE other',
	'GRANT EXECUTE ON FUNCTION copy_incremental_missing TO other');
like(results('SET ROLE other', $missing), qr/ERROR:  permission denied for table job/, 'missing: not without a right on the table');
is(results('GRANT SELECT ON job TO other', 'SET ROLE other', $missing), '2 3 4', 'missing: the runs of others count');
is(results("SELECT copy_incremental_range('src', \$q\$SELECT * FROM job WHERE day >= \$1 AND day < \$2\$q\$, tstzrange('2018-07-02', '2018-07-04'), 3)",
		$missing), '20 4', 'missing: a range covers the days in it');
is(results("SELECT copy_incremental_range('src', \$q\$SELECT * FROM job WHERE day + time '18:00' >= \$1 AND day + time '18:00' < \$2\$q\$, tstzrange('2018-07-04 12:00', '2018-07-05'), 3)",
		$missing), '10 4', 'missing: half a day does not');
is(results("SET timezone = 'America/New_York'", $missing), '3 4', 'missing: days of the session');
is(results("SELECT copy_incremental_forget('job', '2018-07-01', '2018-07-01')", $missing), '1 1 4', 'missing: a forgotten day');
like(results("SELECT copy_incremental_missing('job', NULL, '2018-07-04')"), qr/argument "first_day" must not be null/, 'missing: NULL');
is(results("SELECT count(*) FROM copy_incremental_missing('job', '1900-01-01', '1999-12-31')"), 36524, 'missing: a hundred years');

done_testing();
