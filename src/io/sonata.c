/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What every SONATA file starts with.
 */
#include "sonata.h"

lw_err lw_sonata_head(lw_h5_writer *w) {
    static const uint32_t version[2] = {0, 1};
    uint32_t magic = 0x0A7A;
    hid_t root = H5Oopen(lw_h5_writer_file(w), "/", H5P_DEFAULT);
    herr_t status = root < 0 ? -1 : lw_h5_attribute(root, "magic", H5T_NATIVE_UINT32, &magic);
    if (status >= 0) status = lw_h5_attribute_list(root, "version", H5T_NATIVE_UINT32, 2, version);
    if (root >= 0) (void)H5Oclose(root);
    return lw_h5_writer_outcome(w, status, "SONATA's magic number");
}
