# Runs into one target whose windows overlap wait for each other, and those that do not never wait: any mix of calls, jobs,
# batches and modes, at random. PG_TEST_EXTRA=claims takes 200 windows of each session and mode.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(
	source => "max_connections = 60\ntimezone = 'UTC'\n",
	destination => "max_connections = 60\ntimezone = 'UTC'\ndeadlock_timeout = 100ms\nmax_worker_processes = 20\n");
on_both('CREATE TABLE rows (id int, at timestamptz NOT NULL, v int NOT NULL, day date)', $source, $destination);
$source->safe_psql('postgres', <<~'SQL');
	INSERT INTO rows SELECT g, timestamptz '2024-01-01' + g * interval '1 hour', 0 FROM generate_series(0, 24 * 20 - 1) AS g;
	CREATE INDEX ON rows (at);
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE keyed (LIKE rows INCLUDING ALL, PRIMARY KEY (id));
	CREATE TABLE parted (LIKE rows INCLUDING ALL) PARTITION BY RANGE (at);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-01-11');
	CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2024-01-11') TO ('2025-01-01');
	SQL
my $query = 'SELECT * FROM rows WHERE at >= $1 AND at < $2';
my %into = (append => 'rows', skip => 'keyed', upsert => 'keyed', replace => 'rows');

# A window that begins at an hour and lasts some hours.
sub span { my ($hour, $hours) = @_; return "tstzrange(timestamptz '2024-01-01' + interval '$hour hours', timestamptz '2024-01-01' + interval '${\($hour + $hours)} hours')"; }
sub range_call
{
	my ($mode, $span, %argument) = @_;
	my $named = join '', map { ", $_ => $argument{$_}" } sort keys %argument;
	my $replace = $mode eq 'replace' ? ", replace_where => 'at >= \$1 AND at < \$2'" : '';
	return "SELECT copy_incremental_range('src', '$query', $span, 7, mode => '$mode'$replace$named)";
}
sub holds_up
{
	my ($name, $first, $second, $is_blocked) = @_;
	my ($session) = open_session($destination);
	$session->query_safe("BEGIN; $first");
	my $said = one_line($destination, 'verbose', "SET lock_timeout = '200ms'", $second);
	my $ok = $is_blocked ? $said =~ /ERROR:  55P03: .*CONTEXT:  waiting for runs of overlapping windows copying / : $said !~ /ERROR/;
	ok($ok, $name) or diag($said);
	$session->query_safe('ROLLBACK');
	$session->quit;
	return;
}

# --- whom a run waits for
my @half = (span(0, 12), span(11, 12), span(12, 12));
for my $mode (sort keys %into)
{
	my @target = (target => "'$into{$mode}'");
	holds_up("$mode: a window that overlaps waits", range_call($mode, $half[0], @target), range_call($mode, $half[1], @target), 1);
	holds_up("$mode: the next window does not", range_call($mode, $half[0], @target), range_call($mode, $half[2], @target), 0);
	holds_up("$mode: another target does not", range_call($mode, $half[0], @target), range_call('replace', $half[1], target => "'parted'"), 0);
}
$destination->safe_psql('postgres', 'TRUNCATE rows, keyed, parted, pgci_runs');
holds_up('a partition waits for the table', range_call('append', $half[0], target => "'parted'"), range_call('append', $half[0], target => "'parted_1'"), 1);
holds_up('a partition waits for another one', range_call('append', $half[0], target => "'parted_2'", transform => q('SELECT * FROM batch WHERE false')),
	range_call('append', $half[0], target => "'parted_1'"), 1);
holds_up('the whole table waits for a window', range_call('replace', $half[0], target => "'rows'"), copy_sql('SELECT * FROM rows', undef, mode => "'replace'", replace_where => "'true'"), 1);
# find_loaded takes runs from one server for runs from one source, so the claim must do so too.
$source->safe_psql('postgres', "CREATE ROLE other_reader LOGIN PASSWORD 'secret' IN ROLE etl_reader");
$destination->safe_psql('postgres', <<~'SQL');
	CREATE ROLE other;
	GRANT ALL ON rows TO other;
	GRANT USAGE ON FOREIGN SERVER src TO other;
	SELECT copy_incremental_grant('other');
	CREATE USER MAPPING FOR other SERVER src OPTIONS (user 'other_reader', password 'secret');
	SQL
my @append = map { range_call('append', $_, target => "'rows'") } @half;
holds_up('append: another user of the server waits', $append[0], "SET ROLE other; $append[1]", 1);
holds_up('append: and not for the next window', $append[0], "SET ROLE other; $append[2]", 0);
holds_up('append: a server whose options have changed waits', $append[0], "ALTER SERVER src OPTIONS (ADD application_name 'x', SET host 'localhost'); $append[1]", 1);
$destination->safe_psql('postgres', "ALTER SERVER src OPTIONS (DROP application_name, SET host '127.0.0.1')");
is($destination->safe_psql('postgres', 'SELECT count(*) FROM pgci_claims'), 0, 'nothing is left of the claims');

# --- a procedure that is killed between two batches, and one that failed, leave no claim
$destination->safe_psql('postgres', 'TRUNCATE rows, pgci_runs');
for my $end ('kill', 'fail')
{
	my $call = by_batches(copy_sql('SELECT * FROM rows WHERE day IS NULL AND at >= $1 AND at < $2', '2024-01-02', batch => 5, target => "'keyed'", mode => "'upsert'"));
	$destination->safe_psql('postgres', <<~SQL);
		TRUNCATE keyed;
		CREATE FUNCTION $end() RETURNS trigger LANGUAGE plpgsql AS
		  'BEGIN IF NEW.id = 40 THEN IF ''$end'' = ''fail'' THEN RAISE ''no''; END IF; PERFORM pg_sleep(600); END IF; RETURN NEW; END';
		CREATE TRIGGER stop BEFORE INSERT ON keyed FOR EACH ROW EXECUTE FUNCTION $end();
		SQL
	my $client = start_client($destination, 'procedure', $call);
	if ($end eq 'kill')
	{
		ok(wait_until($destination, q(SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'procedure' AND wait_event = 'PgSleep')), "$end: three batches are committed");
		is($destination->safe_psql('postgres', 'SELECT count(*) FROM pgci_claims'), 1, "$end: the claim is committed");
		like(one_line($destination, 'verbose', "SET lock_timeout = '200ms'", range_call('replace', span(30, 2), target => "'keyed'")), qr/ERROR:  55P03/, "$end: others wait for it");
		$destination->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'procedure'));
	}
	end_of_client($client);
	$destination->safe_psql('postgres', 'DROP TRIGGER stop ON keyed');
	is($destination->safe_psql('postgres', "SET lock_timeout = '5s'; " . range_call('upsert', span(24, 24), target => "'keyed'")), 9, "$end: then nobody waits");
	is($destination->safe_psql('postgres', 'SELECT count(*) FROM pgci_claims'), 0, "$end: and nothing is left");
}

# --- at random: the source changes, and at the end a row is what it is there
my $seed = $ENV{SEED} // time;
note("SEED=$seed");
srand $seed;
my $windows = ($ENV{PG_TEST_EXTRA} // '') =~ /\bclaims\b/ ? 200 : 12;
my @modes = sort keys %into;
for my $mode (@modes)
{
	my $target = $into{$mode};
	$destination->safe_psql('postgres', "TRUNCATE rows, keyed, pgci_runs, pgci_jobs, pgci_coverage; " .
		"SELECT copy_incremental_create_job('job', 'src', 'SELECT * FROM rows', first_day => '2024-01-01', window_size => '6 hours', time_zone => 'UTC', "
		  . "window_column => 'at', target => '$target', mode => '$mode', lag => now() - timestamptz '2024-01-21 00:00+00')");
	my @scripts;
	for my $session (1 .. 8)
	{
		my @calls;
		for (1 .. $windows)
		{
			my ($hour, $hours) = (int rand 24 * 20 - 40, 1 + int rand 36);
			my $kind = int rand 10;
			push @calls, $kind == 0 ? "SELECT copy_incremental_run('job', date '2024-01-01' + ${\int($hour / 24)})"
			  : $kind == 1 ? "CALL copy_incremental_backfill('job', date '2024-01-01' + ${\int($hour / 24)}, date '2024-01-01' + ${\int($hour / 24)}, workers => 2)"
			  : $kind == 2 && $mode =~ /skip|upsert/ ? by_batches(copy_sql($query, undef, mode => "'$mode'", batch => 7, target => "'$target'") =~ s/NULL/'2024-01-${\sprintf '%02d', 1 + int($hour \/ 24)}'/r)
			  : range_call($mode, span($hour, $hours), target => "'$target'");
		}
		push @scripts, \@calls;
	}
	my @clients = map { start_client($destination, "random $mode", '\set ON_ERROR_STOP 0', @$_) } @scripts;
	if ($mode =~ /upsert|replace/)
	{
		# A value counts how often its row was changed: an older one must not come after a newer one.
		$source->safe_psql('postgres', 'UPDATE rows SET v = v + 1 WHERE random() < 0.2') for 1 .. 20;
	}
	my %states;
	for my $client (@clients)
	{
		my (undef, undef, $said) = end_of_client($client);
		$states{$_}++ for $said =~ /ERROR:  (\w{5}):/g;
	}
	delete $states{PI001} if $mode eq 'append';
	is(join(' ', map { "$_: $states{$_}" } sort keys %states), '', "$mode: no error but that a window is loaded, seed $seed");
	# What nobody has loaded, and the last state of the source
	my $rest = $mode eq 'append' ? "CALL copy_incremental_catch_up('job')" : range_call($mode, span(0, 24 * 20), target => "'$target'");
	if ($mode eq 'append')
	{
		is($destination->safe_psql('postgres', 'SELECT count(*) - count(DISTINCT id) FROM rows'), 0, "$mode: no row is there twice");
		is($destination->safe_psql('postgres', q[SELECT count(*) FROM rows AS r WHERE NOT EXISTS (SELECT FROM copy_incremental_runs AS l WHERE status = 'succeeded' AND r.at <@ l.data_interval)]), 0, "$mode: each row is of a run");
		is($destination->safe_psql('postgres', q[SELECT sum(rows_written) - (SELECT count(*) FROM rows) FROM copy_incremental_runs WHERE status = 'succeeded']), 0, "$mode: as many as the runs wrote");
	}
	else
	{
		$destination->safe_psql('postgres', $rest);
		my $all = 'SELECT count(*), sum(id), sum(v) FROM ';
		is($destination->safe_psql('postgres', $all . $target), $mode eq 'skip' ? $destination->safe_psql('postgres', "SELECT 480, 480 * 479 / 2, sum(v) FROM $target") : $source->safe_psql('postgres', "${all}rows"), "$mode: equal to the source");
		is($destination->safe_psql('postgres', "SELECT count(*) - count(DISTINCT id) FROM $target"), 0, "$mode: no row is there twice");
	}
	is($destination->safe_psql('postgres', 'SELECT count(*) FROM pgci_claims'), 0, "$mode: nothing is left of the claims");
	$destination->safe_psql('postgres', "SELECT copy_incremental_drop_job('job')");
}
$destination->stop;
unlike(PostgreSQL::Test::Utils::slurp_file($destination->logfile), qr/deadlock detected/, 'nobody ran into a deadlock');
done_testing();
