# A run is cancelled while the source floods the connection over which its query is cancelled: the error comes all the same, and
# neither this server's log nor its memory takes the flood.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;
use Time::HiRes qw(usleep);

my $folder = PostgreSQL::Test::Utils::tempdir();
my $noise = 'noise ' x 100;

# The first connection of a run says nothing in answer to FETCH; the second one, which cancels, does this at its start.
my $count = 0;
sub at_start
{
	my (@what) = @_;
	my $mark = "$folder/" . ++$count;
	return (fetch => sub { return silence() }, startup => sub {
		my $is_first = !-e $mark;
		if ($is_first) { open(my $file, '>', $mark) or die $!; }
		else { unlink $mark; }
		return $is_first ? @_ : map { ref $_ eq 'ARRAY' ? @$_ : $_ } ($what[0] ? $_[0] : (), @what[ 1 .. $#what ]);
	});
}
my %floods = (
	'notices' => notice(M => $noise), 'notices of 1 MB' => notice(M => 'noise ' x 200_000), 'notifications' => notify($noise),
	'the same parameter' => parameter('application_name', $noise), 'other parameters' => sub { parameter('name' . $_[0], 'noise ' x 4000) },
	'rows' => row('t'), 'wide rows' => row('t' x 100_000), 'bytes' => '%' x 1000, 'results' => complete('SELECT 1'));
my %scenarios;
for my $name (sort keys %floods)
{
	$scenarios{"$name before the authentication"} = { at_start(0, flood($floods{$name})) };
	$scenarios{"$name after the authentication"} = { at_start(1, flood($floods{$name})) };
	$scenarios{"$name in answer to the cancel"} = { fetch => sub { return silence() }, cancel => sub { return flood($floods{$name}) } };
}
$scenarios{'silence at the start'} = { at_start(0, silence()) };
$scenarios{'silence in answer to the cancel'} = { fetch => sub { return silence() }, cancel => sub { return silence() } };
my $hostile = start_hostile_source(good => {}, %scenarios);

my $destination = PostgreSQL::Test::Cluster->new('destination');
$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->append_conf('postgresql.conf', "log_statement = none\n");
$destination->start;
$destination->safe_psql('postgres', 'CREATE EXTENSION pg_copy_incremental; CREATE TABLE rows (id int, note text)');
my ($watcher) = open_session($destination);

sub call
{
	my ($name) = @_;
	my $conninfo = $hostile->conninfo($name, 'connect_timeout=60');
	return copy_sql('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$$conninfo\$c\$", batch => 5, target => "'rows'");
}

for my $name (sort keys %scenarios)
{
	my ($session, $pid) = open_session($destination);
	my ($descriptors, $memory) = usage($pid);
	start_call($session, call($name));
	ok(poll_session($watcher, "SELECT count(*) FROM copy_incremental_progress WHERE pid = $pid", 1), "$name: the run is under way");
	usleep(50_000);
	my $log = -s $destination->logfile;
	$watcher->query_safe("SELECT pg_cancel_backend($pid)");
	my ($peak, $polls) = (0, 0);
	# The error ends the poll.
	while ($watcher->query_safe("SELECT state FROM pg_stat_activity WHERE pid = $pid") eq 'active')
	{
		my $now = (usage($pid))[1];
		$peak = $now if $now > $peak;
		usleep(10_000);
	}
	my ($state) = end_of_call($session);
	is($state, '57014', "$name: cancelled");
	cmp_ok((-s $destination->logfile) - $log, '<', 50_000, "$name: the log");
	cmp_ok($peak - $memory, '<', 50 * 1024, "$name: memory, in kB");
	is($session->query_safe('BEGIN; ' . call('good') . '; ROLLBACK'), 12, "$name: the session copies again");
	ok($hostile->is_left_alone, "$name: no connection is left");
	$session->quit;
}
$watcher->quit;
done_testing();
