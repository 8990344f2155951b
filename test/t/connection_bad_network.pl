# The network between the servers fails at the n-th message of the source, is slow, or turns bits over: nothing is written
# or everything is, no session stays at the source, and the same backend of this server goes on.
# PG_TEST_EXTRA=hostile makes more of it. F numbers count the kinds of faults, see test/reliability.md.
use strict;
use warnings;

use FaultyProxy;
use List::Util qw(sum0);
use TwoServers;
use Test::More;
use Time::HiRes qw(time);

my $is_long = ($ENV{PG_TEST_EXTRA} // '') =~ /\bhostile\b/;
my $seed = $ENV{SEED} // time ^ $$;
srand($seed);

my ($source, $destination) = start_servers();
my $proxy = start_faulty_proxy($source->port);
my $rows = 60;
$source->safe_psql('postgres', <<~SQL);
	CREATE TABLE rows AS SELECT g AS id, 'row ' || g AS note, g * 1.5 AS amount, now() AS at, ARRAY[g, g] AS list
	  FROM generate_series(1, $rows) AS g;
	SQL
$destination->safe_psql('postgres', 'CREATE TABLE rows (id int, note text, amount numeric, at timestamptz, list int[])');
my $truth = $source->safe_psql('postgres', my $checksum = 'SELECT count(*), sum(hashtextextended(r::text, 0)) FROM rows AS r');

# The call over the proxy, with this fault, by this method.
sub call
{
	my ($fault, $method) = @_;
	my $conninfo = sprintf "host=127.0.0.1 port=%d dbname=postgres user=etl_reader password=%s sslmode=disable application_name='%s'",
	  $proxy->port, $TwoServers::password, $fault;
	return copy_sql('TABLE rows', undef, src_conninfo => "\$c\$$conninfo\$c\$", batch => 25, target => "'rows'",
		method => "'$method'");
}

my ($session, $pid) = open_session($destination);

my (%good, %all, $method, $timeout);

# A run with a fault must end in one of these SQLSTATEs with the target as before; or copy everything.
sub survives
{
	my ($number, $fault, $wanted) = @_;
	my ($state, $said) = outcome_within($session, $timeout, call($fault, $method));
	my $content = $session->query_safe($checksum);
	$session->query_safe('TRUNCATE rows') if $content ne '0|';
	my $ok = ok($state =~ /^($wanted)$/ && $content eq ($state eq '00000' ? $truth : '0|'), "$number $fault: $wanted, method $method")
	  or diag("got $state; target: $content: $said");
	$all{$number}++;
	$good{$number}++ if $ok;
	return $state;
}

for ('cursor', 'copy')
{
	($method, $timeout) = ($_, '60s');
	is(survives('F15', 'pass', '00000'), '00000', "method $method: the proxy as such does no harm");
	for my $n (1 .. 40)
	{
		survives('F12', "reset $n", '08006|08001');
		survives('F13', "$_ $n", '08006|08001') for 'cut', 'half';
	}
	$timeout = '200ms';
	survives('F14', "hole $_", '57014') for grep { $is_long || $_ % 4 == 1 } 1 .. 40;
	no_session_left($source, "method $method: no session is left at the source");

	$timeout = 0;
	my $begin = time;
	for my $fault ('split', 'latency 200', 'slow 1000')
	{
		survives('F15', $fault, '00000');
		note(sprintf '%s, method %s: %.1f s', $fault, $method, time - $begin);
		$begin = time;
	}

	# One bit of what the source sends after the handshake is wrong. What breaks the framing, or gives a value that no type
	# takes, is an error; a value that is another one is not to be seen, except by TLS.
	$timeout = '300ms';
	my $flips = $is_long ? 2000 : 150;
	my (%states, $changed);
	for (1 .. $flips)
	{
		my $fault = 'flip ' . int rand 60_000;
		my ($state, $said) = outcome_within($session, $timeout, call($fault, $method));
		my $content = $session->query_safe($checksum);
		$session->query_safe('TRUNCATE rows') if $content ne '0|';
		$states{$state}++;
		$changed++ if $state eq '00000' && $content ne $truth;
		my $ok = $state !~ /^XX/ && ($state eq '00000' || $content eq '0|');
		$all{F16}++;
		$ok ? $good{F16}++ : fail("F16 $fault, method $method (SEED=$seed): $state, target $content: $said");
	}
	is($session->query_safe('SELECT pg_backend_pid()'), $pid, "method $method: it is still the same backend");
	$timeout = 0;
	no_session_left($source, "method $method: no session is left at the source");
	is(survives('F15', 'pass', '00000'), '00000', "method $method: the next run is exact");
	note("SEED=$seed, method $method: $flips flips of a bit: " . join(', ', map { "$_ $states{$_}" } sort keys %states) . "; a changed value: " . ($changed // 0));
}
diag(sprintf 'bad network: %d of %d cases right: %s', sum0(values %good), sum0(values %all),
	join ', ', map { sprintf '%s %d of %d', $_, $good{$_} // 0, $all{$_} } sort keys %all);
$session->quit;
done_testing();
