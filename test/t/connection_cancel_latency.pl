# How long a run lives on after it was cancelled, and its query at the source, in every state that a run can be in; and how
# long the query after the destination's backend was killed. That all end is tested; how soon is only told, because no test
# asserts a time. PG_TEST_EXTRA=latency makes it 200 cancels and 20 kills.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use TwoServers;
use Test::More;
use Time::HiRes qw(time usleep);

my $is_long = ($ENV{PG_TEST_EXTRA} // '') =~ /\blatency\b/;
my ($source, $destination) = start_servers(destination => "restart_after_crash = on\n");
my $hostile = start_hostile_source(
	mute => { startup => sub { return silence() } },
	noisy => { fetch => sub { return flood(notice(M => 'noise ' x 100)) }, copy => sub { return flood(notice(M => 'noise ' x 100)) } });

$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE target (id int, note text);
	CREATE TABLE slow (id int);
	CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
	CREATE TRIGGER sleep BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION sleep();
	SQL

sub hostile_call
{
	my ($scenario, %argument) = @_;
	my $conninfo = $hostile->conninfo($scenario, 'connect_timeout=60');
	return copy_sql('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$$conninfo\$c\$", target => "'target'", %argument);
}

my $endless = 'SELECT generate_series(1, 1000000000) AS id';
my $computing = 'SELECT count(*)::int AS id FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b';
my %copy = (method => "'copy'");
my %state = (
	'connecting' => hostile_call('mute'),
	'flood of notices' => hostile_call('noisy'),
	'query running' => copy_sql($computing, undef, target => "'target'"),
	'fetching' => copy_sql($endless, undef, target => "'target'", batch => 1000000),
	'writing batches' => copy_sql($endless, undef, target => "'target'", batch => 100),
	'pipeline full' => copy_sql($endless, undef, target => "'slow'", batch => 100),
	'COPY, query running' => copy_sql($computing, undef, target => "'target'", %copy),
	'COPY' => copy_sql($endless, undef, target => "'target'", %copy),
	'COPY, target waiting' => copy_sql($endless, undef, target => "'slow'", %copy),
	'COPY, flood of notices' => hostile_call('noisy', %copy));
my ($at_source) = open_session($source);
my ($at_destination) = open_session($destination);
my $sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'etl_reader'";

sub percentile
{
	my ($part, @values) = @_;
	@values = sort { $a <=> $b } @values;
	return $values[ int($part * $#values + 0.5) ];
}

my $times = $is_long ? int(200 / keys(%state) + 0.99) : 2;
my (%error, %gone);
for my $name (sort keys %state)
{
	my ($session, $pid) = open_session($destination);
	my $ended = 0;
	for (1 .. $times)
	{
		start_call($session, $state{$name});
		await_call($at_destination, $pid);
		usleep(200_000 + rand 200_000);
		my $begin = time;
		$at_destination->query_safe("SELECT pg_cancel_backend($pid)");
		my ($sqlstate) = end_of_call($session);
		push @{ $error{$name} }, 1000 * (time - $begin);
		usleep(1000) while $at_source->query_safe($sessions) > 0;
		push @{ $gone{$name} }, 1000 * (time - $begin);
		$ended++ if $sqlstate eq '57014';
	}
	is($ended, $times, "$name: cancelled, and gone from the source");
	$session->quit;
}

sub line
{
	my ($name, $error, $gone) = @_;
	return sprintf '%s: %d cancels; the error after p50 %.0f, p99 %.0f, max %.0f ms; gone from the source after p50 %.0f, p99 %.0f, max %.0f ms',
	  $name, scalar @$error, (map { percentile($_, @$error) } 0.5, 0.99, 1), map { percentile($_, @$gone) } 0.5, 0.99, 1;
}
note(line($_, $error{$_}, $gone{$_})) for sort keys %state;
diag(line('all states', [ map { @$_ } values %error ], [ map { @$_ } values %gone ]));
is($at_destination->query_safe('SELECT (SELECT count(*) FROM target), (SELECT count(*) FROM slow)'), '0|0', 'nothing is written');
$at_destination->quit;

# The destination's backend is killed; nobody cancels the query then, the source itself looks every second.
my $kills = $is_long ? 20 : 1;
my @orphaned;
for my $i (1 .. $kills)
{
	my $name = ('query running', 'fetching', 'COPY, query running', 'COPY')[ $i % 4 ];
	my ($session, $pid) = open_session($destination);
	start_call($session, $state{$name});
	poll_session($at_source, "$sessions AND query ~ '^(FETCH|COPY)'", 1) or die 'the run did not begin';
	my $begin = time;
	kill 'KILL', $pid;
	usleep(1000) while $at_source->query_safe($sessions) > 0;
	push @orphaned, 1000 * (time - $begin);
	eval { $session->{run}->finish };
	ok(wait_until($destination, 'SELECT 1', 1), 'the server is up again');
}
diag(sprintf 'gone from the source after kill -9 of the destination\'s backend: %d kills, p50 %.0f, max %.0f ms', $kills,
	percentile(0.5, @orphaned), percentile(1, @orphaned));

$at_source->quit;
$_->stop for $source, $destination;
kills_were_ours($destination, $kills, 'the destination lost the killed processes and no other');
done_testing();
