# A server that never completes an exchange: for each way to stall, a process on a port of 127.0.0.1.
package StallingSource;

use strict;
use warnings;

use File::Temp;
use ForkingServer;
use HostileSession;
use IO::Socket::INET;
use ProtocolMessages;

# $stall->($socket) is called for each connection or, with only_cancels => 1, for all but the first one. The first one is
# served up to the first FETCH of a run, which is not answered.
sub new
{
	my ($class, $stall, %option) = @_;
	my $folder = File::Temp->newdir;
	my $serve = sub {
		my ($socket, $number) = @_;
		$SIG{PIPE} = 'IGNORE';
		return $stall->($socket) if !$option{only_cancels} || $number > 1;
		HostileSession::serve($socket, { good => { fetch => sub { open(my $file, '>', "$folder/fetch") or die $!; return silence() } } }, "$folder/$$");
	};
	my $server = ForkingServer->new($serve);
	return bless { server => $server, port => $server->port, folder => $folder }, $class;
}

# Whether a FETCH was received.
sub has_received_fetch { my ($self) = @_; return -e "$self->{folder}/fetch"; }

# A port at which no connection is accepted, so that the client gets no answer.
sub full_port
{
	my ($class) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die $!;
	my @waiting = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $listener->sockport, Blocking => 0) } 1 .. 4;
	return bless { listener => $listener, waiting => \@waiting, port => $listener->sockport }, $class;
}

sub conninfo
{
	my ($self, $more) = @_;
	return "host=127.0.0.1 port=$self->{port} user=etl_reader password=secret dbname=good connect_timeout=0 " . ($more // '');
}

# --- functions for new()

# Reads the startup packet. Answers a preceding request for TLS with N, or with S if that is requested.
sub take_startup
{
	my ($socket, $tls) = @_;
	while (1)
	{
		read_bytes($socket, unpack('N', read_bytes($socket, 4)) - 4) =~ /^(....)/s or POSIX::_exit(0);
		return if unpack('N', $1) == 196608;
		ForkingServer::put($socket, $tls // 'N');
		return if $tls;
	}
}

sub read_bytes
{
	my ($socket, $length) = @_;
	my $bytes = '';
	while (length $bytes < $length) { sysread($socket, $bytes, $length - length $bytes, length $bytes) or POSIX::_exit(0); }
	return $bytes;
}

# Sends nothing until the client disconnects.
sub keep_silent { my ($socket) = @_; 1 while sysread $socket, my $bytes, 65536; return; }

# Sends these bytes without end and does not read.
sub send_for_ever { my ($socket, $bytes) = @_; while (1) { ForkingServer::put($socket, $bytes); } }

# Sends one byte per second: these, then zeros.
sub trickle_bytes
{
	my ($socket, $bytes) = @_;
	for my $byte (split //, $bytes) { ForkingServer::put($socket, $byte); sleep 1; }
	while (1) { ForkingServer::put($socket, "\0"); sleep 1; }
}

1;
