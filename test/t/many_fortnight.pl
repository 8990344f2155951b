# Nights without anybody awake: jobs of all kinds, the scheduler's one line for each night, and faults while it works. At the
# end each job is covered and equal to its source. Time is data: a night passes when the rows of a day are there and the jobs'
# lag says that the day is over. PG_TEST_EXTRA=fortnight is 14 days of 30 jobs; SEED repeats the faults, not their moments.
use strict;
use warnings;

use FaultyProxy;
use List::Util qw(sum0);
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time usleep);
use TwoServers;
use Test::More;

my ($days, $jobs, $faults_a_night) = ($ENV{PG_TEST_EXTRA} // '') =~ /\bfortnight\b/ ? (14, 30, 8) : (3, 10, 3);
my $seed = $ENV{SEED} // time ^ $$;
srand $seed;
diag("SEED=$seed");

my ($source, $destination) = start_servers(destination => "max_worker_processes = 16\nlock_timeout = '500ms'\ndeadlock_timeout = '200ms'\n");
my $proxy = start_faulty_proxy($source->port);
$destination->safe_psql('postgres', sprintf "ALTER SERVER src OPTIONS (SET port '%d', ADD application_name 'pass', ADD sslmode 'disable')", $proxy->port);

# The kinds of jobs, in turn: the options of the job, and what else the target has.
my @kinds = (
	{ name => 'append', on_new_column => 'add' },
	{ name => 'replace', mode => 'replace', on_new_column => 'add' },
	{ name => 'upsert', mode => 'upsert', changes => 1, on_new_column => 'add' },
	{ name => 'skip', mode => 'skip', on_new_column => 'add' },
	{ name => 'append by COPY', method => 'copy' },
	{ name => 'replace by COPY', mode => 'replace', method => 'copy' },
	{ name => 'partitions', partitions => 1 },
	{ name => 'upsert that fires triggers', mode => 'upsert', changes => 1, audit => 1 },
	{ name => 'ids', ids => 1 },
	{ name => 'rejects and checks', mode => 'replace', on_error => 'reject', verify => 'true' });

my $first = '2026-03-20';    # the clocks change on the 29th
sub day { my ($n) = @_; return "(date '$first' + $n)" }

# Statements of the test itself, which the faults may hit too: again until they have succeeded.
sub surely
{
	my ($node, $sql) = @_;
	for (1 .. 300)
	{
		my ($status, $out, $err) = eval { $node->psql('postgres', $sql, extra_params => [ '-v', 'ON_ERROR_STOP=1' ]) };
		return $out if defined $status && $status == 0;
		die "$sql: $err" if ($err // '') =~ /ERROR:  (?!terminating|canceling|deadlock)/;
		usleep(100_000);
	}
	die "$sql has not succeeded";
}

for my $n (1 .. $jobs)
{
	my $kind = $kinds[ ($n - 1) % @kinds ];
	my $columns = 'id bigint PRIMARY KEY, at timestamptz NOT NULL, v int, note text';
	surely($source, "CREATE TABLE t$n ($columns); CREATE SEQUENCE t${n}_ids OWNED BY t$n.id; ALTER TABLE t$n ALTER id SET DEFAULT nextval('t${n}_ids')");
	surely($destination, $kind->{partitions} ? <<~SQL : "CREATE TABLE t$n ($columns)");
		CREATE TABLE t$n (id bigint, at timestamptz NOT NULL, v int, note text) PARTITION BY RANGE (at);
		CREATE TABLE t${n}_rest PARTITION OF t$n DEFAULT;
		SELECT format('CREATE TABLE t${n}_%s PARTITION OF t$n FOR VALUES FROM (%L) TO (%L)', i, @{[ day(0) ]} + i, @{[ day(1) ]} + i) FROM generate_series(0, $days - 2) AS i \\gexec
		SQL
	surely($destination, "CREATE TABLE audit$n (v int); INSERT INTO audit$n VALUES (0);"
		  . "CREATE FUNCTION audit$n() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE audit$n SET v = v + 1; RETURN NULL; END';"
		  . "CREATE TRIGGER audit AFTER INSERT OR UPDATE ON t$n FOR EACH STATEMENT EXECUTE FUNCTION audit$n()") if $kind->{audit};
	my %option = map { exists $kind->{$_} ? ($_ => $kind->{$_} eq 'true' ? 'true' : "'$kind->{$_}'") : () } qw(mode method on_error verify on_new_column);
	%option = (%option, $kind->{ids} ? (window_column => "'id'", window_size_rows => 150) : (window_column => "'at'", first_day => "'$first'", lag => "'100 years'"));
	surely($destination, define_job("job$n", "SELECT * FROM t$n", target => "'t$n'", time_zone => "'America/New_York'", settle => "'warn'", max_rows_per_second => 300, %option));
}

# What an application writes in the course of a day: new rows, and with `changes` other values of old ones, which then are of
# this day.
sub write_day
{
	my ($day) = @_;
	for my $n (1 .. $jobs)
	{
		my $kind = $kinds[ ($n - 1) % @kinds ];
		my $at = "((@{[ day($day) ]}::timestamp + random() * interval '24 hours') AT TIME ZONE 'America/New_York')";
		surely($source, "BEGIN; INSERT INTO t$n (at, v, note) SELECT $at, g, 'row ' || g FROM generate_series(1, 20 + (random() * 200)::int) AS g;"
			  . ($kind->{changes} ? "UPDATE t$n SET v = v + 1, at = $at WHERE random() < 0.1;" : '') . 'COMMIT');
	}
	return;
}

# The faults. Each returns whether it has hit something.
my $columns = 0;
my %fault = (
	'restart of the source' => sub { $source->restart; return 1 },
	'crash of the source' => sub { $source->stop('immediate'); usleep(300_000); $source->start; return 1 },
	'restart of the destination' => sub { $destination->restart; return 1 },
	'crash of the destination' => sub { $destination->stop('immediate'); usleep(300_000); $destination->start; return 1 },
	'network cut' => sub { return $proxy->cut },
	'session ended at the source' => sub { return surely($source, q[SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'etl_reader']) },
	'process ended at the destination' => sub { return surely($destination, q[SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE backend_type = 'copy_incremental' ORDER BY random() LIMIT 1) AS p]) },
	'connection limit' => sub { surely($source, 'ALTER ROLE etl_reader CONNECTION LIMIT 1'); usleep(1_500_000); surely($source, 'ALTER ROLE etl_reader CONNECTION LIMIT -1'); return 1 },
	'locks of targets' => sub { surely($destination, sprintf 'BEGIN; SET LOCAL lock_timeout = 0; LOCK TABLE %s; SELECT pg_sleep(1.5); COMMIT', join ', ', map { "t$_" } grep { rand() < 0.5 } 2 .. $jobs); return 1 },
	'new column' => sub
	{
		my ($n) = map { $_->[rand @$_] } [ grep { $kinds[ ($_ - 1) % @kinds ]{on_new_column} } 1 .. $jobs ];
		my $column = 'c' . ++$columns;
		note("t$n has a new column, $column");
		surely($source, "ALTER TABLE t$n ADD COLUMN $column int; ALTER TABLE t$n ALTER COLUMN $column SET DEFAULT $n");
		return 1;
	},
	# The run has locked t8 and waits for audit8; this has audit8 and waits for t8. The run notices it first.
	'deadlock' => sub
	{
		for (1 .. 50)
		{
			last if surely($destination, q[SELECT count(*) > 0 FROM pg_locks WHERE relation = 't8'::regclass AND mode = 'RowExclusiveLock']) eq 't';
			usleep(50_000);
		}
		surely($destination, "BEGIN; SET LOCAL lock_timeout = 0; SET LOCAL deadlock_timeout = '1min'; UPDATE audit8 SET v = v + 1; LOCK TABLE t8; COMMIT");
		return 1;
	});

# Some rows of a table that differ, with the server that has them.
sub differences
{
	my ($n) = @_;
	my (%rows, %of);
	for my $node ($source, $destination)
	{
		$rows{ $node->name } = [ split /\n/, surely($node, "SELECT to_jsonb(t) FROM t$n AS t ORDER BY id") ];
		++$of{$_} for @{ $rows{ $node->name } };
	}
	return join '', map { my $name = $_; map { "$name: $_\n" } grep { defined } (grep { $of{$_} == 1 } @{ $rows{$name} })[ 0 .. 4 ] } sort keys %rows;
}

my (%faults, %states, %calls);
my $call = 'CALL copy_incremental_catch_up(workers => 3)';
# The last night is without faults, and shows that the columns of the night before arrive.
for my $day (0 .. $days)
{
	write_day($day);
	# The day is over.
	surely($destination, "UPDATE pgci_jobs SET lag = now() - (@{[ day($day + 1) ]}::timestamp AT TIME ZONE 'America/New_York') WHERE first_id IS NULL AND window_size IS NOT NULL");
	# On a loaded machine, even the ALTER TABLE for a new column waits longer than the lock_timeout of the other nights.
	surely($destination, $_) for $day == $days ? ("ALTER SYSTEM SET lock_timeout = '1min'", 'SELECT pg_reload_conf()') : ();
	my @faults = map { (sort keys %fault)[ rand keys %fault ] } 1 .. ($day < $days ? $faults_a_night : 0);
	# A window takes about half a second, because of max_rows_per_second. The scheduler calls again when a call has ended, as one that calls each hour.
	for my $hour (1 .. 100)
	{
		my $client = start_client($destination, 'scheduler', $call);
		while (@faults)
		{
			usleep(200_000 + rand 800_000);
			$client->{run}->pump_nb;
			last unless $client->{run}->pumpable;
			my $name = shift @faults;
			$faults{$name}++ if $fault{$name}->();
		}
		my ($state, undef, $said) = end_of_client($client);
		$states{$state}++;
		$calls{$day} = $hour;
		note("day $day, call $hour: $state") if $state ne '00000';
		last if $state eq '00000' && !@faults;
	}
}
is($calls{$days}, 1, 'a night without faults is one call');

is(surely($destination, "SELECT count(*) FROM copy_incremental_jobs WHERE missing_windows > 0"), 0, 'nothing is missing') or diag(surely($destination, 'SELECT * FROM copy_incremental_jobs'));
for my $n (1 .. $jobs)
{
	my $kind = $kinds[ ($n - 1) % @kinds ];
	my $sum = "SELECT count(*), sum(hashtextextended(to_jsonb(t)::text, 0)) FROM t$n AS t";
	is(surely($destination, $sum), surely($source, $sum), "job $n, $kind->{name}: each row once") or diag(differences($n));
	is(surely($destination, "SELECT count(*) FROM copy_incremental_missing('job$n', @{[ day(0) ]}, @{[ day($days) ]})"), 0, "job $n, $kind->{name}: each day is covered") unless $kind->{ids};
}
is(surely($destination, 'SELECT count(*) FROM pgci_claims'), 0, 'no claim is left');
is(surely($destination, 'SELECT count(*) FROM pgci_rejects'), 0, 'no row was rejected');
no_session_left($source, 'no session is left at the source');

diag(sprintf '%d days of %d jobs; faults: %s', $days, $jobs, join ', ', map { "$_: $faults{$_}" } sort keys %faults);
diag('calls: ' . sum0(values %calls) . '; they ended with ' . join ', ', map { "$_: $states{$_}" } sort keys %states);
diag('attempts: ' . surely($destination, q[SELECT string_agg(format('%s %s: %s', status, sqlstate, n), ', ' ORDER BY status, sqlstate) FROM (SELECT status, sqlstate, count(*) AS n FROM copy_incremental_runs GROUP BY status, sqlstate) AS r]));
done_testing();
