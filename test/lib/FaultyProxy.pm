# A TCP proxy before a source that does harm to what the source sends. What harm, and when, the client says by its
# application_name: "cut 5" and the like, see below. Messages of the source are counted from 1, its first answer.
#
#   pass            nothing but counting
#   cut N, reset N  ends the connection instead of sending message N: FIN, or RST
#   half N          sends half of message N, then FIN
#   hole N          sends nothing from message N on, and stays
#   flip N          inverts one bit, bit N of what follows the handshake
#   slow N          N bytes a second
#   latency N       each piece comes N milliseconds late
#   delay N         the same, but a piece does not hold up those behind it: a long line
#   split           each byte in a segment of its own
#   version N       the source says that it is of version N, of two digits
#
# Where it is given a file, it writes a line for each FETCH that it sees: the rows asked for, and how many FETCHes are
# then in flight, this one included.
package FaultyProxy;

use strict;
use warnings;

use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use List::Util qw(max);
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time usleep);

use parent 'ForkingServer';
use Exporter 'import';
our @EXPORT = qw(start_faulty_proxy);

# Starts it before a port of 127.0.0.1; it listens on a port of its own until the test ends.
sub start_faulty_proxy
{
	my ($source_port, $file) = @_;
	return __PACKAGE__->new(sub { serve($_[0], $source_port, $file); });
}

sub serve
{
	my ($client, $source_port, $file) = @_;
	$SIG{PIPE} = 'IGNORE';
	my $source = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $source_port) or POSIX::_exit(0);
	setsockopt($_, IPPROTO_TCP, TCP_NODELAY, 1) for $client, $source;
	sysread($client, my $startup, 65536) or POSIX::_exit(0);
	my ($action, $number) = $startup =~ /application_name\0(\w+) ?(\d*)/;
	ForkingServer::put($source, $startup);

	my ($pending, $count, $bits, $in_session) = ('', 0, 0, 0);
	my ($fetches, $asked, $sql, $in_flight, @delayed) = (undef, '', '', 0);
	if (defined $file) { open($fetches, '>>', $file) or POSIX::_exit(1); $fetches->autoflush(1); }
	my $select = IO::Select->new($client, $source);
	while (1)
	{
		while (@delayed && $delayed[0][0] <= time)
		{
			my (undef, $message) = @{ shift @delayed };
			--$in_flight if is_end_of_fetch($message);
			ForkingServer::put($client, $message);
		}
		for my $socket ($select->can_read(@delayed ? max(0, $delayed[0][0] - time) : undef))
		{
			sysread($socket, my $bytes, 65536) or POSIX::_exit(0);
			if ($socket == $client)
			{
				ForkingServer::put($source, $bytes);
				next unless $fetches;
				$asked .= $bytes;
				while (length $asked >= 5 && length $asked > unpack 'x N', $asked)
				{
					my ($type, $body) = unpack 'a x4 a*', substr $asked, 0, 1 + unpack('x N', $asked), '';
					(undef, $sql) = split /\0/, $body, 3 if $type eq 'P';
					print $fetches "$1 " . ++$in_flight . "\n" if $type eq 'E' && $sql =~ /^FETCH FORWARD (\d+) FROM/;
				}
				next;
			}
			$pending .= $bytes;
			while (length $pending >= 5 && length $pending > unpack 'x N', $pending)
			{
				my $message = substr $pending, 0, 1 + unpack('x N', $pending), '';
				++$count;
				if ($action eq 'flip' && $in_session && $number >= $bits && $number < $bits + 8 * length $message)
				{
					my $bit = $number - $bits;
					vec($message, $bit, 1) = 1 - vec($message, $bit, 1);
				}
				$bits += 8 * length $message if $in_session;
				$in_session ||= $message =~ /^Z/;
				if ($action eq 'delay') { push @delayed, [ time + $number / 1000, $message ]; next; }
				--$in_flight if is_end_of_fetch($message);
				harm($client, $action, $number, $message, $count);
			}
		}
	}
}

sub is_end_of_fetch { return $_[0] =~ /^C....FETCH /s; }

sub harm
{
	my ($client, $action, $number, $message, $count) = @_;
	if ($action =~ /^(cut|reset|half)$/ && $count == $number)
	{
		ForkingServer::put($client, substr $message, 0, length($message) / 2) if $action eq 'half';
		setsockopt($client, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $action eq 'reset';
		close $client;
		POSIX::_exit(0);
	}
	if ($action eq 'hole' && $count >= $number) { return; }
	if ($action eq 'slow')
	{
		for my $byte (unpack '(a100)*', $message) { ForkingServer::put($client, $byte); usleep(1_000_000 * length($byte) / $number); }
		return;
	}
	if ($action eq 'split') { ForkingServer::put($client, $_) for split //, $message; return; }
	$message =~ s/^(S.{4}server_version\0)\d\d/$1$number/s if $action eq 'version';
	usleep(1000 * $number) if $action eq 'latency' && $message =~ /^[ZR]/;    # once for each round trip
	ForkingServer::put($client, $message);
	return;
}

1;
