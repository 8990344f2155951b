# pg_cron in database postgres of a server, set up as examples/pg_cron.sql says for its version.
package PgCron;

use strict;
use warnings;

use PostgreSQL::Test::Utils;

use Exporter 'import';
our @EXPORT = qw(cron_minor cron_config create_cron);

# The minor version of the pg_cron that is installed, 4 of 1.4; undef without one.
sub cron_minor
{
	my $control = (run_command([ 'pg_config', '--sharedir' ]))[0] . '/extension/pg_cron.control';
	return -e $control && slurp_file($control) =~ /^default_version = '1\.(\d+)/m ? $1 : undef;
}

# Lines of the configuration with which the server has to start; none without pg_cron.
sub cron_config
{
	my $minor = cron_minor() // return '';
	return <<~CONF . ($minor >= 5 ? "cron.use_background_workers = on\ncron.timezone = 'UTC'\n" : '');
		listen_addresses = '127.0.0.1'
		shared_preload_libraries = 'pg_cron'
		cron.database_name = 'postgres'
		CONF
}

# The extension, for the role etl. Before 1.5 pg_cron connects as etl, here by the socket.
sub create_cron
{
	my ($node) = @_;
	if (cron_minor() < 5)
	{
		$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'\n");
		$node->restart;
	}
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO etl');
	return;
}

1;
