#ifndef BW_CLI_XML_H
#define BW_CLI_XML_H

/* Text from anywhere as XML 1.0 on standard output. What XML cannot hold, control characters, and bytes that are no
 * UTF-8 become U+FFFD. NULL is nothing. */
void bw_put_xml(const char *text);
void bw_put_xml_attribute(const char *name, const char *text); /* with a blank in front */

#endif
