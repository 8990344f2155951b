# What errors of the connection say to do: whose timeout it was, which server was meant, which could not be reached.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
on_both('CREATE TABLE sale (id int PRIMARY KEY, at timestamptz)', $source, $destination);
$source->safe_psql('postgres', <<~'SQL');
	CREATE VIEW slow AS SELECT s.id, s.at FROM sale AS s, LATERAL (SELECT pg_sleep(60) WHERE s.id > 0) AS wait;
	INSERT INTO sale VALUES (1, '2018-07-28 10:00+00');
	ALTER ROLE etl_reader SET statement_timeout = '300ms';
	SQL
my $hint = qr/SQLSTATE 57014.*HINT:  If the source's statement_timeout has expired, .*ALTER ROLE .*statement_timeout=0/s;
my @slow = ('SELECT * FROM slow', undef, target => "'sale'");
for my $method (qw(cursor copy))
{
	fails_with($destination, copy_sql(@slow, method => "'$method'"), '38000', $hint, "the source's timeout: $method");
}
fails_with($destination, copy_sql(@slow, verify => 'true'), '38000', $hint, "the source's timeout: verify => true");
fails_with($destination, look_sql($_, 'SELECT * FROM slow', '2018-07-28', window_column => "'at'", target => "'sale'"), '38000', $hint, "the source's timeout: $_") for qw(verify verify_rows);

# A name that is nearly that of a server which the user may use.
my @any = ('SELECT * FROM sale', undef);
$destination->safe_psql('postgres', <<~SQL);
	CREATE SERVER shop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER shop OPTIONS (user 'etl_reader', password '$TwoServers::password');
	CREATE ROLE loader;
	SELECT copy_incremental_grant('loader');
	GRANT INSERT ON sale TO loader;
	SQL
for my $near ('shopp', 'shob', 'Shop', 'ship')
{
	fails_with($destination, copy_sql(@any, src_conninfo => "'$near'"), '42704', qr/server "$near" does not exist\nHINT:  Perhaps you meant the server "shop"\./, "nearly a server: $near");
}
for my $far ('warehouse', 'zz', "S3CRET-$TwoServers::password")
{
	my $said = fails_with($destination, copy_sql(@any, src_conninfo => "'$far'"), '42704', qr/neither a foreign server nor a connection string/, "no server: $far");
	unlike($said =~ s/LINE \d.*//rs =~ s/STATEMENT.*//rs, qr/\Q$far\E/, "no server: $far: is not shown");
}
fails_with($destination, 'SET ROLE loader; ' . copy_sql(@any, src_conninfo => "'shopp'"), '42704', qr/neither a foreign server/, 'nearly a server that the user may not use');
fails_with($destination, copy_sql(@any, src_conninfo => "'shop'"), '08001', qr/could not connect to source server "shop"/, 'the server that cannot be reached');
fails_with($destination, copy_sql(@any, src_conninfo => "'host=127.0.0.1 port=1 dbname=postgres user=etl_reader password=x'"), '08001',
	qr{could not connect to source server "127\.0\.0\.1:1/postgres"}, 'the host that cannot be reached');
fails_with($destination, copy_sql(@any, src_conninfo => "'host=127.0.0.1 port=1 dbname=''a b'' user=etl_reader password=x'"), '08001',
	qr{could not connect to source server "\(connection string\)"}, 'names that may be parts of a password');
done_testing();
