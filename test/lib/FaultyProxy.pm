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
#   split           each byte in a segment of its own
package FaultyProxy;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER);
use Time::HiRes qw(usleep);

use Exporter 'import';
our @EXPORT = qw(start_faulty_proxy);

# Starts it before a port of 127.0.0.1; it listens on a port of its own until the test ends.
sub start_faulty_proxy
{
	my ($source_port) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 100) or die $!;
	my $pid = fork // die $!;
	if ($pid == 0)
	{
		setpgrp;
		$SIG{CHLD} = 'IGNORE';
		$SIG{TERM} = 'DEFAULT';
		while (1)
		{
			my $client = $listener->accept or next;
			my $child = fork;
			if (defined $child && $child == 0) { serve($client, $source_port); POSIX::_exit(0); }
			close $client;
		}
	}
	my $port = $listener->sockport;
	close $listener;
	return bless { pid => $pid, port => $port }, __PACKAGE__;
}

sub port { return $_[0]{port}; }

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!);
	if (kill -15, $self->{pid}) { waitpid $self->{pid}, 0; }
	return;
}

# Sends bytes; the connection's end ends the process, too.
sub put
{
	my ($socket, $bytes) = @_;
	while (length $bytes)
	{
		my $sent = syswrite $socket, $bytes;
		POSIX::_exit(0) unless $sent;
		substr($bytes, 0, $sent) = '';
	}
	return;
}

sub serve
{
	my ($client, $source_port) = @_;
	$SIG{PIPE} = 'IGNORE';
	my $source = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $source_port) or POSIX::_exit(0);
	setsockopt($_, IPPROTO_TCP, TCP_NODELAY, 1) for $client, $source;
	sysread($client, my $startup, 65536) or POSIX::_exit(0);
	my ($action, $number) = $startup =~ /application_name\0(\w+) ?(\d*)/;
	put($source, $startup);

	my ($pending, $count, $bits, $in_session) = ('', 0, 0, 0);
	my $select = IO::Select->new($client, $source);
	while (1)
	{
		for my $socket ($select->can_read)
		{
			sysread($socket, my $bytes, 65536) or POSIX::_exit(0);
			if ($socket == $client) { put($source, $bytes); next; }
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
				harm($client, $action, $number, $message, $count);
			}
		}
	}
}

sub harm
{
	my ($client, $action, $number, $message, $count) = @_;
	if ($action =~ /^(cut|reset|half)$/ && $count == $number)
	{
		put($client, substr $message, 0, length($message) / 2) if $action eq 'half';
		setsockopt($client, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $action eq 'reset';
		close $client;
		POSIX::_exit(0);
	}
	if ($action eq 'hole' && $count >= $number) { return; }
	if ($action eq 'slow')
	{
		for my $byte (unpack '(a100)*', $message) { put($client, $byte); usleep(1_000_000 * length($byte) / $number); }
		return;
	}
	if ($action eq 'split') { put($client, $_) for split //, $message; return; }
	usleep(1000 * $number) if $action eq 'latency' && $message =~ /^[ZR]/;    # once for each round trip
	put($client, $message);
	return;
}

1;
