# Authentication of a real source: what a client is asked to compute has a bound, with TLS and without.
use strict;
use warnings;

use FaultyProxy;
use PostgreSQL::Test::Utils qw(run_log slurp_file);
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my $port = $source->port;
my $folder = $source->data_dir;
run_log([ qw(openssl req -new -x509 -days 10 -nodes -subj /CN=localhost -newkey rsa:2048), '-out', "$folder/server.crt", '-keyout',
		"$folder/server.key" ]) or plan skip_all => 'openssl cannot make a certificate';
chmod 0600, "$folder/server.key";
$source->append_conf('postgresql.conf', "ssl = on\n");
$source->append_conf('pg_hba.conf', "host all all 127.0.0.1/32 md5\n");
$source->restart;
$source->safe_psql('postgres', 'CREATE TABLE rows AS SELECT generate_series(1, 3) AS id; GRANT SELECT ON rows TO PUBLIC');
$destination->safe_psql('postgres', 'CREATE TABLE rows (id int)');

# A role whose password takes so many iterations, as the source's scram_iterations or a planted verifier would make it.
sub create_role
{
	my ($name, $iterations) = @_;
	my $key = 'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=';
	# CREATE ROLE ... PASSWORD would compute them, to see whether the password is empty.
	$source->safe_psql('postgres', <<~SQL);
		CREATE ROLE $name LOGIN;
		UPDATE pg_authid SET rolpassword = 'SCRAM-SHA-256\$$iterations:c2FsdHNhbHRzYWx0c2FsdA==\$$key:$key' WHERE rolname = '$name';
		SQL
	return;
}
create_role('endless', 2147483647);
create_role('too_many', 1_000_001);
create_role('allowed', 10_000);

sub call
{
	my ($more, $at) = @_;
	return copy_sql('TABLE rows', undef, src_conninfo => "'host=127.0.0.1 port=@{[ $at // $port ]} dbname=postgres $more'", target => "'rows'");
}

for my $tls ('sslmode=disable', 'sslmode=require', 'sslmode=require ssl_max_protocol_version=TLSv1.2')
{
	my $good = "user=etl_reader password=$TwoServers::password $tls";
	copies($destination, 'TRUNCATE rows; ' . call($good), 3, 'SELECT count(*) FROM rows', 3, "$tls: a password");
	for my $role ('endless', 'too_many')
	{
		fails_with($destination, "SET statement_timeout = '100s'; " . call("user=$role password=x $tls"), '08001',
			qr/could not connect to source server.*DETAIL:  The source asks for more than 1000000 SCRAM iterations/s, "$tls: $role");
	}
	fails_with($destination, call("user=allowed password=x $tls"), '08004',
		qr/could not connect.*DETAIL:.*password authentication failed for user "allowed"/s, "$tls: 10000 iterations are computed");
	fails_with($destination, call("user=nobody password=x $tls"), '08004', qr/DETAIL:.*authentication failed/s, "$tls: an unknown user");
	fails_with($destination, call("$good dbname=nowhere"), '08004', qr/DETAIL:.*database "nowhere" does not exist/s,
		"$tls: an error after the authentication");
}
# The messages arrive in pieces.
my $proxy = start_faulty_proxy($port);
copies($destination, 'TRUNCATE rows; ' . call("user=etl_reader password=$TwoServers::password sslmode=disable application_name=split", $proxy->port), 3,
	'SELECT count(*) FROM rows', 3, 'each byte in a segment of its own');
fails_with($destination, "SET statement_timeout = '100s'; " . call('user=endless password=x sslmode=disable application_name=split', $proxy->port), '08001',
	qr/SCRAM iterations/, 'each byte in a segment of its own, endless');

# A certificate that the source refuses: the alert comes where TLS is looked into.
run_log([ qw(openssl req -new -x509 -days 10 -nodes -subj /CN=stranger -newkey rsa:2048), '-out', "$folder/stranger.crt", '-keyout',
		"$folder/stranger.key" ]);
chmod 0600, "$folder/stranger.key";
$source->append_conf('postgresql.conf', "ssl_ca_file = 'server.crt'\n");
$source->restart;
for my $version ('TLSv1.2', 'TLSv1.3')
{
	fails_with($destination, call("user=etl_reader password=$TwoServers::password sslmode=require sslcert=$folder/stranger.crt "
			. "sslkey=$folder/stranger.key ssl_min_protocol_version=$version ssl_max_protocol_version=$version"), '08001',
		qr/DETAIL:.*alert unknown ca/s, "$version: the alert is shown");
}
no_session_left($source, 'no session is left at the source');
done_testing();
