# Whatever a source does while a connection to it is made, a timeout, a cancel and a termination end the run, and so they
# do when the connection that cancels the run's query is stalled. The times that this takes are only told.
use strict;
use warnings;

use IO::Select;
use ProtocolMessages;
use StallingSource;
use TwoServers;
use Test::More;
use Time::HiRes qw(time usleep);

my $password_request = message('R', pack 'N', 3);

# Asks for passwords for ever, and reads the answers.
sub ask_and_read
{
	my ($socket) = @_;
	while (1)
	{
		ForkingServer::put($socket, $password_request x 100);
		while (IO::Select->new($socket)->can_read(0)) { sysread($socket, my $answers, 65536) or return; }
	}
}

# What the source does, and the SQLSTATE in which the run ends by itself.
my $silent = \&StallingSource::keep_silent;
sub after_startup
{
	my ($then, $tls) = @_;
	return sub { my ($socket) = @_; StallingSource::take_startup($socket, $tls); return $then->($socket); };
}
sub says { my ($bytes) = @_; return after_startup(sub { ForkingServer::put($_[0], $bytes); $silent->($_[0]); }); }
sub repeats { my ($bytes) = @_; return after_startup(sub { StallingSource::send_for_ever($_[0], $bytes) }); }
my @stalls = (
	[ 'silence', $silent ],
	[ 'TLS accepted, then silence', after_startup($silent, 'S') ],
	[ 'a TLS handshake of a byte a second', after_startup(sub { StallingSource::trickle_bytes($_[0], "\x16\x03\x03\x40\0") }, 'S') ],
	[ 'silence after the startup packet', after_startup($silent) ],
	[ '100000 requests for a password, unread answers', says($password_request x 100_000), '08001' ],
	[ 'requests for a password without an end, read answers', after_startup(\&ask_and_read), '08001' ],
	[ 'a part of a request', says(substr $password_request, 0, 7) ],
	[ 'an error of a byte a second', after_startup(sub { StallingSource::trickle_bytes($_[0], 'E' . pack('N', 30000) . 'SFATAL') }) ],
	[ 'notices before the authentication', repeats(notice()), '08001' ],
	[ 'parameters before the authentication', repeats(parameter('name', 'value')), '08001' ],
	[ 'zeros before the authentication', repeats("\0" x 1000), '08001' ]);

my $destination = PostgreSQL::Test::Cluster->new('destination');
$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->start;
$destination->safe_psql('postgres', 'CREATE EXTENSION pg_copy_incremental; CREATE TABLE rows (id int, note text)');
my ($watcher) = open_session($destination);

my %took;

# A run is ended in this way, or ends by itself.
sub ends
{
	my ($where, $name, $source, $way, $own_end) = @_;
	my ($session, $pid) = open_session($destination);
	$session->query_safe("SET statement_timeout = '@{[ $way eq 'timeout' ? '300ms' : 0 ]}'");
	my $conninfo = $source->conninfo;
	my $begin = time + 0.3;
	start_call($session, copy_sql('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$$conninfo\$c\$", target => "'rows'"));
	if ($way =~ /cancel|terminate/)
	{
		# After that the run waits for the source.
		await_call($watcher, $pid);
		usleep(300_000);
		until ($where eq 'connecting' || $source->has_received_fetch || time > $begin + $PostgreSQL::Test::Utils::timeout_default) { usleep(10_000); }
		$begin = time;
		$watcher->query_safe("SELECT pg_${way}_backend($pid)");
	}
	my ($state, $said) = end_of_call($session);
	push @{ $took{$where} }, 1000 * (time - $begin) if !$own_end;
	note(sprintf '%s, %s, %s: %d ms', $where, $name, $way, 1000 * (time - $begin));
	is($state, $own_end // ($way eq 'terminate' ? '57P01' : '57014'), "$where, $name: $way") or diag($said);
	$session->quit if $way ne 'terminate';
	return;
}

for my $stall ([ 'connections not accepted', undef ], @stalls)
{
	my ($name, $do, $own_end) = @$stall;
	my $source = $do ? StallingSource->new($do) : StallingSource->full_port;
	ends('connecting', $name, $source, $_, $own_end) for $own_end ? 'by itself' : qw(timeout cancel terminate);
}
for my $stall (@stalls)
{
	my ($name, $do) = @$stall;
	ends('cancelling', $name, StallingSource->new($do, only_cancels => 1), $_) for qw(timeout cancel terminate);
}
is($watcher->query_safe('SELECT count(*) FROM rows'), 0, 'nothing is written');

# The time for connecting ends all that, too.
for my $stall ([ 'connections not accepted', undef ], @stalls[ 2, 3, 6, 7 ])
{
	my ($name, $do) = @$stall;
	my $source = $do ? StallingSource->new($do) : StallingSource->full_port;
	fails_with($destination, copy_sql('SELECT id, note FROM rows', undef, target => "'rows'",
			src_conninfo => "'" . $source->conninfo('connect_timeout=1') . "'"), '08001', qr/could not connect to source server/,
		"connect_timeout, $name");
}

for my $where (sort keys %took)
{
	my @sorted = sort { $a <=> $b } @{ $took{$where} };
	diag(sprintf '%s: %d stalled runs ended, the error after: median %d ms, longest %d ms', $where, scalar @sorted,
		$sorted[ @sorted / 2 ], $sorted[-1]);
}
$watcher->quit;
done_testing();
