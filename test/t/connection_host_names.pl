# Host names: name servers that do not answer hold up neither a cancel, nor a termination, nor a timeout.
use strict;
use warnings;

use SilentNameServer;
use TwoServers;
use Test::More;
use Time::HiRes qw(time usleep);

my ($source, $destination) = start_servers();
$source->safe_psql('postgres', 'CREATE TABLE rows AS SELECT generate_series(1, 3) AS id');
$destination->safe_psql('postgres', 'CREATE TABLE rows (id int)');
my ($watcher) = open_session($destination);

sub call
{
	my ($host, $more) = @_;
	my $conninfo = "host=$host port=@{[ $source->port ]} dbname=postgres user=etl_reader password=$TwoServers::password " . ($more // '');
	return copy_sql('TABLE rows', undef, src_conninfo => "'$conninfo'", target => "'rows'");
}

# The processes that a process has begun.
sub children_of
{
	my ($pid) = @_;
	open(my $file, '<', "/proc/$pid/task/$pid/children") or return;
	return split ' ', readline($file) // '';
}

my @took;
for my $way (qw(timeout cancel terminate))
{
	my ($session, $pid) = open_session($destination);
	$session->query_safe("SET statement_timeout = '@{[ $way eq 'timeout' ? '1s' : 0 ]}'");
	my $begin = time;
	start_call($session, call('source.example', 'connect_timeout=0'));
	my @children;
	until (@children = children_of($pid)) { usleep(10_000); last if time > $begin + 180; }
	is(scalar @children, 1, "$way: a process looks up the name");
	my $ended = $way eq 'timeout' ? $begin + 1 : time;
	$watcher->query_safe("SELECT pg_${way}_backend($pid)") if $way ne 'timeout';
	my ($state, $said) = end_of_call($session);
	push @took, 1000 * (time - $ended);
	is($state, $way eq 'terminate' ? '57P01' : '57014', "$way: the run has ended") or diag($said);
	is(join(' ', grep { kill 0, $_ } @children), '', "$way: the process has ended");
	$session->quit if $way ne 'terminate';
}
diag(sprintf 'a name lookup ended: after %s ms (timeout, cancel, terminate)', join ', ', map { sprintf '%d', $_ } @took);

fails_with($destination, call('source.example', 'connect_timeout=1'), '08001', qr/not established within connect_timeout/, 'connect_timeout');
# Names that need no name server.
copies($destination, call('localhost'), 3, 'SELECT count(*) FROM rows', 3, 'a name of /etc/hosts');
copies($destination, 'TRUNCATE rows; ' . call('source.example', 'hostaddr=127.0.0.1'), 3, 'SELECT count(*) FROM rows', 3,
	'a name with its address');
$watcher->quit;
no_session_left($source, 'no session is left at the source');
done_testing();
