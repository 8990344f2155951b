# A server dies, stops or has no room in the middle of a run: the target is as before, and the next run is exact.
use strict;
use warnings;

use TwoServers;
use Test::More;
use Time::HiRes qw(time);

my ($source, $destination) = start_servers(source => "restart_after_crash = on\nmax_connections = 12\n",
	destination => "restart_after_crash = on\n");

$source->safe_psql('postgres', 'CREATE TABLE rows AS SELECT generate_series(1, 20000) AS id; CREATE TABLE locked (id int)');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows (id int);
	CREATE TABLE slow (id int);
	CREATE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END';
	CREATE TRIGGER slow BEFORE INSERT ON slow EXECUTE FUNCTION slow_down();
	SQL

my $copy = copy_sql('TABLE rows', undef);
# Hardly end by themselves.
my @works = map {
	my %into = (target => "'slow'", batch => 100, method => "'$_'");
	([ "sending, method $_", copy_sql('SELECT generate_series(1, 1000000000) AS id', undef, %into) ],
		[ "computing, method $_", copy_sql('SELECT 1 AS id FROM pg_sleep(600)', undef, %into) ])
} 'cursor', 'copy';

sub nothing_then_exact
{
	my ($name) = @_;
	is($destination->safe_psql('postgres', 'SELECT (SELECT count(*) FROM slow), (SELECT count(*) FROM rows)'), '0|0',
		"$name: nothing is written");
	is($destination->safe_psql('postgres', "$copy; SELECT count(*), count(DISTINCT id), sum(id) FROM rows; TRUNCATE rows"),
		"20000\n20000|20000|200010000", "$name: the next run is exact");
	no_session_left($source, "$name: no session is left at the source");
	return;
}

# Starts a call in a session of its own and waits until the source works for it; also returns the source's process.
sub begin_run
{
	my ($call) = @_;
	my ($session, $pid) = open_session($destination);
	start_call($session, $call);
	my ($at_source) = open_session($source);
	poll_session($at_source, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'etl_reader' AND query ~ '^(FETCH|COPY)'", 1)
	  or die 'the run did not begin';
	my $serving = $at_source->query_safe("SELECT pid FROM pg_stat_activity WHERE usename = 'etl_reader'");
	$at_source->quit;
	return ($session, $pid, $serving);
}

# The source goes away, in different ways, while it sends rows and while it computes.
my %loss = (
	'backend terminated' => sub { $source->safe_psql('postgres', "SELECT pg_terminate_backend($_[0])") },
	'backend killed' => sub { kill 'KILL', $_[0] },
	'fast stop' => sub { $source->stop('fast') },
	'immediate stop' => sub { $source->stop('immediate') });
for my $loss (sort keys %loss)
{
	for my $work (@works)
	{
		my $name = "source: $loss while $work->[0]";
		my ($session, $pid, $serving) = begin_run($work->[1]);
		my $begin = time;
		$loss{$loss}->($serving);
		my ($sqlstate, $said) = end_of_call($session);
		note(sprintf '%s: %d ms until the error', $name, 1000 * (time - $begin));
		is($sqlstate, '08006', "$name: SQLSTATE") or diag($said);
		like($said, qr/HINT:  Nothing was written; run again\./, "$name: hint");
		$session->quit;
		$source->start unless $source->{_pid};
		ok(wait_until($source, 'SELECT 1', 1), "$name: the source is up again");
		nothing_then_exact($name);
	}
}

# This server loses the backend, and with it all others.
for my $work (@works)
{
	my $name = "destination: backend killed, source $work->[0]";
	my ($session, $pid, $serving) = begin_run($work->[1]);
	my $begin = time;
	kill 'KILL', $pid;
	no_session_left($source, "$name: the source's session ends");
	note(sprintf '%s: about %d ms until the source was free', $name, 1000 * (time - $begin));
	eval { $session->{run}->finish };
	ok(wait_until($destination, 'SELECT 1', 1), "$name: the server is up again");
	nothing_then_exact($name);
}

# A lock at the source is not waited for longer than for one here.
my ($locker) = open_session($source);
$locker->query_safe('BEGIN; LOCK TABLE locked');
my $said = fails_with($destination, "BEGIN; SET LOCAL lock_timeout = '100ms'; "
	  . copy_sql('TABLE locked', undef, target => "'rows'"), '55P03', qr/lock timeout/, 'lock_timeout holds at the source');
like($said, qr/HINT:  Nothing was written; run again\./, 'lock_timeout: hint');
like($said, qr/on source server src/, 'lock_timeout: it is the source that waited');
$locker->quit;
nothing_then_exact('lock_timeout');

# All connections of the source that are not reserved are taken.
my @taken = map { (open_session($source))[0] } 1 .. 9;
$said = fails_with($destination, $copy, '53300', qr/could not connect to source server/, 'no connection is free');
like($said, qr/DETAIL:.*remaining connection slots are reserved/, 'no connection is free: detail');
$_->quit for @taken;
wait_until($source, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'");
$source->safe_psql('postgres', 'ALTER ROLE etl_reader CONNECTION LIMIT 0');
fails_with($destination, $copy, '53300', qr/too many connections for role/, 'the role may not connect');
$source->safe_psql('postgres', 'ALTER ROLE etl_reader CONNECTION LIMIT -1');
nothing_then_exact('no connection free');

$_->stop for $source, $destination;
kills_were_ours($source, scalar @works, 'the source lost the killed processes and no other');
kills_were_ours($destination, scalar @works, 'the destination lost the killed processes and no other');
done_testing();
