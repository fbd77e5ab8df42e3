/*
 * mysql_client.h: the client library beside PostgreSQL's headers.
 *
 * Both declare functions of these names; nobody here uses the client library's.
 */
#ifndef KLUSTER_MYSQL_CLIENT_H
#define KLUSTER_MYSQL_CLIENT_H

#define list_delete kluster_client_list_delete
#define list_free kluster_client_list_free
#define list_length kluster_client_list_length
#include <mysql.h>
#undef list_delete
#undef list_free
#undef list_length

#endif
