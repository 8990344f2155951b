# Failing and good calls by the hundred leave no connection, file descriptor, memory or temporary file behind.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;
use Time::HiRes qw(time usleep);

plan skip_all => 'needs /proc' unless -r "/proc/$$/smaps_rollup";

# After an ANALYZE by autovacuum, a session plans again, and its plans may take more memory.
my ($source, $destination) = start_servers(destination => "autovacuum = off\n");
my $password = $TwoServers::password;

# Failing calls of each kind in one transaction; PG_TEST_EXTRA=leaks makes them a thousand, which takes minutes.
my $times = ($ENV{PG_TEST_EXTRA} // '') =~ /\bleaks\b/ ? 1000 : 250;

# Most paths connect without a password, whose check would take most of the time.
$source->safe_psql('postgres', <<~'SQL');
	CREATE TYPE mood AS ENUM ('good', 'unknown there');
	CREATE TABLE rows AS SELECT g AS id, 'row ' || g AS note FROM generate_series(1, 400) AS g;
	SQL

my $at_port = 'host=127.0.0.1 dbname=postgres port=';
my $fast = "'$at_port" . $source->port . " user=etl_trusted'";
my $refused = "'$at_port" . PostgreSQL::Test::Cluster::get_free_port() . " user=etl_trusted'";
my $wrong = "'$at_port" . $source->port . " user=etl_reader password=wrong'";

$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows (id int CHECK (id <> 250), note text);
	CREATE TABLE good (id int, note text);
	CREATE TYPE mood AS ENUM ('good');
	CREATE TABLE moods (id int, note mood);
	SQL

my $all = 'SELECT id, note FROM rows';
# Name, SQLSTATE, call.
my @paths = (
	[ 'template error', '42601', copy_sql('SELECT FROM WHERE', undef, src_conninfo => $fast) ],
	[ 'connection refused', '08001', copy_sql($all, undef, src_conninfo => $refused) ],
	[ 'wrong password', '08004', copy_sql($all, undef, src_conninfo => $wrong) ],
	[ 'column mismatch', '42804', copy_sql('SELECT id AS other FROM rows', undef, src_conninfo => $fast) ],
	map {
		my %by = (src_conninfo => $fast, batch => 100, method => "'$_'");
		([ "source error, method $_", '22012', copy_sql('SELECT 1 / (id - 250) AS id FROM rows', undef, %by, target => "'rows'") ],
			[ "constraint in batch 3, method $_", '23514', copy_sql($all, undef, %by) ],
			[ "conversion in batch 3, method $_", '22P02',
				copy_sql(q(SELECT id, (CASE id WHEN 250 THEN 'unknown there' ELSE 'good' END)::mood AS note FROM rows), undef, %by, target => "'moods'") ])
	} 'cursor', 'copy');

my ($session, $pid) = open_session($destination);

# Calls so often, each in an EXCEPTION block that takes this SQLSTATE and no other.
sub in_blocks
{
	my ($call, $sqlstate, $times) = @_;
	$call =~ s/^SELECT/PERFORM/;
	my $catch = $sqlstate ? "EXCEPTION WHEN SQLSTATE '$sqlstate' THEN NULL;" : '';
	$session->query_safe("DO \$do\$ BEGIN FOR i IN 1 .. $times LOOP BEGIN $call; $catch END; END LOOP; END \$do\$");
	return;
}

# Calls so often, each as a statement of its own; returns how many failed with this SQLSTATE.
sub as_statements
{
	my ($call, $sqlstate, $times) = @_;
	$session->query("SELECT \$call\$$call\$call\$ FROM generate_series(1, $times) \\gexec");
	my $failed = () = $session->{stderr} =~ /ERROR:  $sqlstate:/g;
	$session->{stderr} = '';
	return $failed;
}

sub no_growth
{
	my ($name, $files, $memory) = @_;
	my ($files_after, $memory_after) = usage($pid);
	is($files_after, $files, "$name: as many open descriptors as before");
	cmp_ok($memory_after - $memory, '<=', 1024, "$name: private memory has grown by 1 MB at most");
	note(sprintf '%s: private memory %d kB, grown by %d kB', $name, $memory_after, $memory_after - $memory);
	is($session->query_safe("SELECT count(*) FROM pg_backend_memory_contexts WHERE name ~ 'copy_incremental'"), 0,
		"$name: no memory context of ours");
	is($session->query_safe('SELECT count(*) FROM pg_ls_tmpdir()'), 0, "$name: no temporary file");
	return;
}

sub no_sessions
{
	my ($name) = @_;
	ok(wait_until($source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename ~ '^etl_'"),
		"$name: no session at the source");
	return;
}

for my $path (@paths)
{
	my ($name, $sqlstate, $call) = @$path;
	my $begin = time;
	$session->query_safe('BEGIN');
	in_blocks($call, $sqlstate, 50);
	my @before = usage($pid);
	in_blocks($call, $sqlstate, $times);
	no_growth("$name, $times in one transaction", @before);
	$session->query_safe('COMMIT');
	no_sessions("$name, $times in one transaction");

	as_statements($call, $sqlstate, 50);
	@before = usage($pid);
	is(as_statements($call, $sqlstate, 100), 100, "$name, 100 statements: all fail alike");
	no_growth("$name, 100 statements", @before);
	no_sessions("$name, 100 statements");
	note(sprintf '%s: %.1f s', $name, time - $begin);
}
is($session->query_safe('SELECT (SELECT count(*) FROM rows), (SELECT count(*) FROM moods)'), '0|0', 'nothing is written');

for my $method ('cursor', 'copy')
{
	my $good = copy_sql($all, undef, src_conninfo => $fast, batch => 100, target => "'good'", method => "'$method'");
	$session->query_safe('TRUNCATE good; BEGIN');
	in_blocks($good, undef, 50);
	my @before = usage($pid);
	in_blocks($good, undef, 300);
	no_growth("300 good calls in one transaction, method $method", @before);
	$session->query_safe('COMMIT');
	as_statements($good, '', 50);
	@before = usage($pid);
	is(as_statements($good, '', 300), 0, "300 good statements, method $method: none fails");
	no_growth("300 good statements, method $method", @before);
	no_sessions("good calls, method $method");
	is($session->query_safe('SELECT count(*) FROM good'), 400 * 700, "method $method: their rows are there");
}
$session->quit;

# The memory of one long run is bounded by the batch, or, where there is none, by a row.
for my $method ('cursor', 'copy')
{
	($session, $pid) = open_session($destination);
	start_call($session, copy_sql(q(SELECT g AS id, 'row ' || g AS note FROM generate_series(1, 200000) AS g), undef,
			src_conninfo => $fast, target => "'good'", method => "'$method'"));
	my ($peak, $samples) = (0, 0);
	until ($session->{stdout} =~ /^200000$/m)
	{
		$session->{run}->pump_nb;
		my ($files, $memory) = usage($pid);
		$peak = $memory if $memory > $peak;
		$samples++;
		usleep(2000);
	}
	note("200,000 narrow rows, batch 2000, method $method: private memory at most $peak kB in $samples samples");
	cmp_ok($peak, '<', 16 * 1024, "a long run at batch 2000 stays under 16 MB of private memory, method $method");
	$session->quit;
}
done_testing();
