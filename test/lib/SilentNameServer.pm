# Use this module first in a test file. It runs the rest of the file in network and mount namespaces in which no name
# server answers. The test is skipped if namespaces cannot be created.
package SilentNameServer;

use strict;
use warnings;

use File::Temp;
use IO::Socket::INET;
use POSIX ();
use Test::More;

my $mark = 'PGCI_SILENT_NAME_SERVER';
my @unshare = qw(unshare --user);

sub import
{
	return if $ENV{$mark};
	my @perl = ($^X, map { "-I$_" } @INC);
	my @inside = (@unshare, qw(--map-root-user --mount --net));
	plan skip_all => 'namespaces cannot be made here' if system("@inside true >/dev/null 2>&1") != 0;
	exec @inside, '--', @perl, '-e', 'require SilentNameServer; SilentNameServer::enter(@ARGV)', $<, POSIX::getgid(), @perl, $0,
	  @ARGV;
}

# Runs as root of these namespaces, then continues as the previous user.
sub enter
{
	my ($user, $group, @command) = @_;
	my $file = File::Temp->new(UNLINK => 0);
	# Longer than any test waits: 5 attempts of 30 s with each of three servers.
	my @addresses = map { "127.0.0.$_" } 1 .. 3;
	print $file "nameserver $_\n" for @addresses;
	print $file "options timeout:30 attempts:5\n";
	close $file;
	system('mount', '--bind', $file, '/etc/resolv.conf') == 0 or die 'mount';
	unlink $file;
	my $socket = IO::Socket::INET->new(Proto => 'udp') or die $!;
	my $up = pack('a16 s x14', 'lo', 0x49);
	ioctl($socket, 0x8914, $up) or die $!;    # SIOCSIFFLAGS: up, loopback, running
	$^F = 1000;    # the sockets stay open
	our @silent = map { IO::Socket::INET->new(Proto => 'udp', LocalAddr => $_, LocalPort => 53) or die $! } @addresses;
	$ENV{$mark} = 1;
	exec @unshare, "--map-user=$user", "--map-group=$group", '--', @command;
}

1;
