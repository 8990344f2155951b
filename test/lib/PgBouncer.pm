# A real PgBouncer in front of a source, in transaction mode, until the test ends.
package PgBouncer;

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TwoServers;

# The program; undef if it is not installed.
sub program { return (grep { -x $_ } '/usr/sbin/pgbouncer', map { "$_/pgbouncer" } split /:/, $ENV{PATH})[0] }

# start($source, [ name => 'its settings', ... ], 'lines of the section pgbouncer'): pools for the database postgres of the source.
# etl_reader uses them with its password.
sub start
{
	my ($class, $source, $pools, $settings) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $server = 'host=127.0.0.1 dbname=postgres port=' . $source->port;
	my @pools = @$pools;
	my $databases = '';
	while (my ($name, $setting) = splice @pools, 0, 2) { $databases .= "$name = $server $setting\n"; }
	append_to_file("$folder/users", qq("etl_reader" "$TwoServers::password"\n));
	append_to_file("$folder/pgbouncer.ini", "[databases]\n$databases" . <<~INI . ($settings // ''));
		[pgbouncer]
		listen_addr = 127.0.0.1
		listen_port = $port
		unix_socket_dir =
		auth_type = scram-sha-256
		auth_file = $folder/users
		pool_mode = transaction
		logfile = $folder/log
		pidfile = $folder/pid
		INI
	system_or_bail(program(), '-q', '-d', "$folder/pgbouncer.ini");
	return bless { folder => $folder, port => $port }, $class;
}

sub port { return $_[0]{port}; }

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);
	my $pid = "$self->{folder}/pid";
	# The other signals mean different things in different versions; it has nothing to save.
	kill 'KILL', slurp_file($pid) =~ /(\d+)/ if -s $pid;
	return;
}

1;
